/** SIGHUP to a running lb4: what a user sees of it in the log and in the sessions. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { LB4, startLb4, type Lb4Process, type LogLine } from '../harness/lb4-process.ts';
import { ended, skipWithout } from '../harness/programs.ts';
import type { Peer } from '../harness/peer.ts';
import '../harness/run-once.ts';
import { pause } from '../harness/until.ts';

interface Reloaded {
  readonly lb4: Lb4Process;
  readonly file: string;
  readonly backend: string;
  /** A configuration with these lines for the upstream, and these at the top. */
  readonly write: (upstream?: string, top?: string) => void;
  /** Sends SIGHUP; resolves with the line that answers it. */
  readonly hangUp: () => Promise<LogLine>;
  readonly session: () => Promise<Peer>;
}

const ANSWERS = ['reloaded', 'reloadFailed', 'reloadRefused'];

async function start(t: Test, engine: string, top = '', command?: readonly string[]): Promise<Reloaded> {
  const backend = formatAddress((await startBackend(t, scripts.echo)).address);
  const file = join(t.testdir({}), 'lb4.yaml');
  const write = (upstream = '', top = ''): void =>
    writeFileSync(
      file,
      [
        ...[`engine: ${engine}`, 'workers: 1', 'listeners:'],
        "  - { name: web, bind: '127.0.0.1:0', upstream: app }",
        ...['upstreams:', '  - name: app', '    health: off', `    backends: [${backend}]`],
        ...[upstream, top],
      ].join('\n'),
    );
  write('', top);
  const lb4 = await startLb4(t, ['-c', file], command === undefined ? {} : { command });
  let seen = 0;
  return {
    ...{ lb4, file, backend, write },
    async hangUp() {
      lb4.child.kill('SIGHUP');
      const from = seen;
      const line = await lb4.line(each => lb4.lines.indexOf(each) >= from && ANSWERS.includes(each.event));
      seen = lb4.lines.indexOf(line) + 1;
      return line;
    },
    session: async () => {
      const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
      await client.send('x');
      await client.untilText('x');
      return client;
    },
  };
}

for (const engine of ['epoll', 'node']) {
  void t.test(
    `${engine}: SIGHUP takes the file over, says what has changed, and harms no session`,
    async t => {
      const { lb4, file, backend, write, hangUp, session } = await start(t, engine);
      const client = await session();
      write('    strategy: roundrobin\n    slowStart: 2s', `limits: { maxSessions: 5 }`);
      t.match(await hangUp(), {
        ...{ level: 'info', event: 'reloaded', file, trigger: 'signal', changes: 3 },
        message: `configuration reloaded from ${file} (SIGHUP): upstream app: strategy leastconn → roundrobin; upstream app: slowStart 0 → 2s; limits.maxSessions not set → 5`,
      });
      t.match(await hangUp(), { event: 'reloaded', changes: 0, message: /: nothing has changed$/ });
      await client.send('y');
      await client.untilText('xy');
      write(`    backends: [127.0.0.1:9]`);
      const failed = await hangUp();
      t.match(failed, { level: 'error', event: 'reloadFailed', reason: 'invalid', problems: 1 });
      t.match(String(failed['message']), `the configuration is as before: ${file}:9:5  `);
      write('', 'engine: node');
      t.equal((await hangUp()).event, 'reloadFailed');
      await (await session()).send('z');
      lb4.child.kill('SIGUSR1');
      t.match(await lb4.line(({ event }) => event === 'snapshotUpstream'), { strategy: 'roundrobin' });
      t.match(await lb4.line(({ event }) => event === 'snapshotBackend'), { backend, sessions: 2 });

      lb4.child.kill('SIGTERM');
      await lb4.line(({ event }) => event === 'drainStarted');
      t.match(await hangUp(), { level: 'warn', event: 'reloadRefused', message: /it is draining$/ });
      lb4.child.kill('SIGTERM');
      t.same(await ended(lb4.child), { code: 0, signal: null });
      t.same(lb4.other, []);
    },
  );
}

void t.test('of a storm of SIGHUPs a few are reloads, and the last content is in force', async t => {
  const { lb4, write, session } = await start(t, 'auto');
  const client = await session();
  for (let round = 1; round <= 4; round++) {
    write(`    slowStart: ${round}s`);
    for (let sent = 0; sent < 250; sent++) lb4.child.kill('SIGHUP');
    (await session()).halfClose();
    // A file that has just been written is read a moment later: it might not be whole.
    await pause(250);
  }
  write('    strategy: ewma');
  lb4.child.kill('SIGHUP');
  await lb4.line(({ event, message }) => event === 'reloaded' && / → ewma/.test(String(message)));
  const answers = lb4.lines.filter(({ event }) => ANSWERS.includes(event));
  t.same([...new Set(answers.map(({ event }) => event))], ['reloaded'], 'none is refused, and none fails');
  t.ok(answers.length < 50, `${answers.length} reloads`);
  await client.send('y');
  await client.untilText('xy');
  client.halfClose();
  t.equal(await lb4.stop(), 0);
  t.same(lb4.other, []);
});

void t.test('level, form and access log change with the file', async t => {
  const { lb4, write, hangUp, session } = await start(t, 'auto');
  write('', 'log: { level: warn }');
  t.match(await hangUp(), { event: 'reloaded', message: /log\.level info → warn$/ });
  write('', 'log: { level: info, access: true }');
  t.match(await hangUp(), { event: 'reloaded' });
  const client = await session();
  client.halfClose();
  t.match(await lb4.line(({ event }) => event === 'session'), { upstream: 'app', bytesFromClient: 1 });
  write('', 'log: { level: debug }');
  t.match(await hangUp(), { message: /log\.level info → debug; log\.access true → false$/ });
  (await session()).halfClose();
  t.match(await lb4.line(({ event, level }) => event === 'session' && level === 'debug'), {
    upstream: 'app',
  });
  t.equal(await lb4.stop(), 0);
});

void t.test(
  'whatever stands in place of the file, lb4 says so in one line and goes on as before',
  async t => {
    const { lb4, file, write, hangUp, session } = await start(t, 'auto');
    const client = await session();
    const cannot = `the configuration is as before: cannot read ${file}: `;
    const cases: readonly (readonly [string, () => void, string])[] = [
      ['missing', () => undefined, `${cannot}there is no such file`],
      ['empty', () => writeFileSync(file, ''), `${cannot}it is empty`],
      ['only comments', () => writeFileSync(file, '# nothing\n'), `${cannot}it is empty`],
      ['10 MB', () => writeFileSync(file, 'a: b\n'.repeat(2_000_000)), `${cannot}it is larger than 1 MiB`],
      [
        'binary',
        () => writeFileSync(file, Buffer.from([1, 0, 255])),
        `${cannot}it is not a text file (UTF-8)`,
      ],
      [
        'no UTF-8',
        () => writeFileSync(file, Buffer.from([0x61, 0x3a, 0xc3, 0x28])),
        `${cannot}it is not a text file (UTF-8)`,
      ],
      [
        'aliases that multiply',
        () => writeFileSync(file, bomb()),
        `the configuration is as before: ${file}:`,
      ],
      ['a directory', () => mkdirSync(file), `${cannot}it is a directory`],
      ['a pipe without a writer', () => spawnSync('mkfifo', [file]), `${cannot}it is no regular file`],
      ['a device', () => spawnSync('ln', ['-s', '/dev/zero', file]), `${cannot}it is no regular file`],
      [
        'no YAML',
        () => writeFileSync(file, '{ a: ['),
        `the configuration is as before (2 problems): ${file}:1:`,
      ],
    ];
    for (const [what, put, message] of cases) {
      rmSync(file, { force: true, recursive: true });
      put();
      const line = await hangUp();
      t.match(line, { level: 'error', event: 'reloadFailed' }, what);
      t.match(String(line['message']), message, what);
      t.notMatch(String(line['message']), /\n| at .*:\d+:\d+/, what);
    }
    rmSync(file, { force: true });
    write('    slowStart: 2s');
    t.match(await hangUp(), { event: 'reloaded', changes: 1 });
    await client.send('y');
    await client.untilText('xy');
    client.reset();
    t.same(lb4.other, []);
    t.equal(await lb4.stop(), 0);
  },
);

/** A few hundred bytes that mean a billion values. */
function bomb(): string {
  const levels = 'abcdefghi'.split('');
  const ten = (of: string): string => new Array<string>(10).fill(of).join(', ');
  return levels
    .map((name, i) => `${name}: &${name} [${ten(i === 0 ? 'x' : `*${levels[i - 1] ?? ''}`)}]\n`)
    .join('');
}

const unprivileged = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'];

void t.test(
  'a file that may not be read, and one that vanishes while lb4 waits for its writer, change nothing',
  { skip: skipWithout('setpriv') },
  async t => {
    // Root may read every file, unless it gives that up.
    const isRoot = process.getuid?.() === 0;
    const before = isRoot ? unprivileged : [];
    const { lb4, file, write, hangUp } = await start(t, 'auto', '', [...before, process.execPath, LB4]);
    const cannot = `the configuration is as before: cannot read ${file}: `;
    chmodSync(file, 0);
    t.match(await hangUp(), { event: 'reloadFailed', message: `${cannot}permission denied` });
    chmodSync(file, 0o600);
    const writing = setInterval(() => write('    slowStart: 3s'), 20);
    const answer = hangUp();
    await pause(200);
    clearInterval(writing);
    rmSync(file);
    t.match(await answer, { event: 'reloadFailed', message: `${cannot}there is no such file` });
    write('    slowStart: 2s');
    t.match(await hangUp(), { event: 'reloaded', changes: 1 });
    t.equal(await lb4.stop(), 0);
  },
);

void t.test('a file that is written in pieces is taken over whole', async t => {
  const { lb4, file, hangUp, backend } = await start(t, 'auto');
  const text = (count: number): string =>
    Array.from({ length: count }, (_, i) => `      - 127.0.1.${i + 1}:${backend.split(':')[1]}\n`).join('');
  const before = [
    ...['engine: auto', 'workers: 1', 'listeners:'],
    "  - { name: web, bind: '127.0.0.1:0', upstream: app }",
    ...['upstreams:', '  - name: app', '    health: off', '    backends:', ''],
  ].join('\n');
  // Each of these is a valid file.
  writeFileSync(file, before + text(1));
  const answer = hangUp();
  for (let count = 2; count <= 8; count++) {
    await pause(30);
    writeFileSync(file, before + text(count));
  }
  t.match(await answer, { event: 'reloaded', changes: 9 });
  t.equal(await lb4.stop(), 0);
});
