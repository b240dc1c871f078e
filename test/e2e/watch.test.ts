/** `lb4 --watch`: the file changes, and the running lb4 follows it by itself. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { startCommandLine } from '../harness/command-line.ts';
import { connectClient } from '../harness/client.ts';
import { startLb4, type LogLine } from '../harness/lb4-process.ts';
import '../harness/run-once.ts';
import { until } from '../harness/until.ts';

const configOf = (engine: string, backend: string, more = ''): string =>
  [
    ...[`engine: ${engine}`, 'workers: 1', 'listeners:'],
    "  - { name: web, bind: '127.0.0.1:0', upstream: app }",
    ...['upstreams:', '  - name: app', '    health: off', `    backends: [${backend}]`, more],
  ].join('\n');

for (const engine of ['epoll', 'node']) {
  void t.test(`${engine}: each new content is taken over once, a bad one is reported once`, async t => {
    const backend = formatAddress((await startBackend(t, scripts.echo)).address);
    const folder = t.testdir({ 'lb4.yaml': configOf(engine, backend) });
    const file = join(folder, 'lb4.yaml');
    const lb4 = await startLb4(t, ['-c', file], { env: { LB4_WATCH: 'on' } });
    const answers = (): LogLine[] => lb4.lines.filter(({ event }) => event.startsWith('reload'));
    const answer = async (count: number): Promise<LogLine | undefined> => {
      await until(`${count} reloads`, () => answers().length >= count, 10_000);
      return answers()[count - 1];
    };
    const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
    await client.send('x');
    await client.untilText('x');

    writeFileSync(file, configOf(engine, backend, '    slowStart: 1s'));
    t.match(await answer(1), { event: 'reloaded', trigger: 'watch', changes: 1 });
    writeFileSync(join(folder, '.lb4.yaml.swp'), configOf(engine, backend, '    slowStart: 2s'));
    renameSync(join(folder, '.lb4.yaml.swp'), file);
    t.match(await answer(2), { event: 'reloaded', message: /slowStart 1s → 2s$/ });
    writeFileSync(file, configOf(engine, backend, '    slowStart: fast'));
    t.match(await answer(3), { event: 'reloadFailed', message: /lb4\.yaml:9:16 / });
    rmSync(file);
    t.match(await answer(4), { event: 'reloadFailed', message: /there is no such file$/ });
    // A ConfigMap takes its place.
    mkdirSync(join(folder, '..1'));
    writeFileSync(join(folder, '..1', 'lb4.yaml'), configOf(engine, backend, '    slowStart: 3s'));
    symlinkSync('..1', join(folder, '..data'));
    symlinkSync('..data/lb4.yaml', file);
    t.match(await answer(5), { event: 'reloaded', message: /slowStart 2s → 3s$/ });
    mkdirSync(join(folder, '..2'));
    writeFileSync(join(folder, '..2', 'lb4.yaml'), configOf(engine, backend, '    slowStart: 4s'));
    symlinkSync('..2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    t.match(await answer(6), { event: 'reloaded', message: /slowStart 3s → 4s$/ });
    await client.send('y');
    await client.untilText('xy');
    client.reset();
    t.equal(answers().length, 6);
    t.equal(await lb4.stop(), 0);
  });
}

void t.test(
  'a list of access that the configuration names is followed, one that it has dropped is not',
  async t => {
    const access = (list: string): string =>
      configOf('auto', '127.0.0.1:9').replace(
        'upstream: app }',
        `upstream: app, access: { deny: 'file:${list}' } }`,
      );
    const folder = t.testdir({
      'lb4.yaml': access('one.txt'),
      'one.txt': '10.0.0.0/8\n',
      'two.txt': '10.0.0.0/8\n',
    });
    const lb4 = await startLb4(t, ['-c', join(folder, 'lb4.yaml'), '--watch']);
    const write = (file: string, text: string): void => {
      writeFileSync(join(folder, `${file}.new`), text);
      renameSync(join(folder, `${file}.new`), join(folder, file));
    };
    const reloads = async (count: number): Promise<LogLine | undefined> => {
      const found = (): LogLine[] => lb4.lines.filter(({ event }) => event.startsWith('reload'));
      await until(`${count} reloads`, () => found().length >= count, 10_000);
      return found()[count - 1];
    };
    write('one.txt', '10.0.0.0/8\n192.0.2.0/24\n');
    t.match(await reloads(1), { trigger: 'watch', message: /: list file:one\.txt: 1 entry added, 2 now$/ });
    write('one.txt', 'half of');
    t.match(await reloads(2), { event: 'reloadFailed', message: /one\.txt \(line 1: / });
    write('lb4.yaml', access('two.txt'));
    t.match(await reloads(3), { event: 'reloaded', message: /access/ });
    write('one.txt', '::1\n');
    write('two.txt', '::1\n');
    t.match(await reloads(4), { message: /: list file:two\.txt: 1 entry added, 1 entry removed, 1 now$/ });
    t.equal(await lb4.stop(), 0);
    t.equal(lb4.lines.filter(({ event }) => event.startsWith('reload')).length, 4);
  },
);

void t.test('--watch needs a regular file, and LB4_WATCH a word for yes or no', async t => {
  const runLb4 = startCommandLine(t);
  const ofBackends = await runLb4(['-b', '127.0.0.1:1', '--watch']);
  t.same(
    [ofBackends.code, ofBackends.stderr],
    [2, 'lb4: --watch: expected a configuration file (--config) to watch\n'],
  );
  const device = await runLb4(['-c', '/dev/null', '--watch']);
  t.same(
    [device.code, device.stderr],
    [2, 'lb4: --watch: expected a regular file to watch, and /dev/null is none\n'],
  );
  const wrong = await runLb4(['-c', '/dev/null'], { LB4_WATCH: 'sometimes' });
  t.same([wrong.code, wrong.stderr], [2, 'lb4: LB4_WATCH: expected true or false, got "sometimes"\n']);
});
