/** lb4 as a service: what it reports to systemd, and its levels in the journal. */
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { LB4, startLb4 } from '../harness/lb4-process.ts';
import { notifySocket } from '../harness/notify-socket.ts';
import { ended, skipWithout } from '../harness/programs.ts';
import { libc, withoutLibc } from '../harness/real-libc.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';
import { WITHOUT_FFI } from '../harness/without-koffi.ts';

const manager = (t: Test, path?: string) => notifySocket(t, libc(), path);

for (const [engine, workers, path] of [
  ['epoll', '2', undefined],
  ['node', '0', `@lb4-service-${process.pid}`],
] as const) {
  void t.test(
    `${engine} engine, ${workers} workers: ready when it accepts, stopping when it drains`,
    { skip: withoutLibc },
    async t => {
      const service = manager(t, path);
      const backend = await startBackend(t, scripts.echo);
      const args = ['-b', formatAddress(backend.address), '--engine', engine, '--workers', workers];
      const lb4 = await startLb4(t, args, { env: { NOTIFY_SOCKET: service.path } });
      t.match(
        await service.report(/^READY=1/),
        /^READY=1\nSTATUS=running, 1 listener, 0 sessions, 1 of 1 backend takes sessions$/,
      );
      const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
      await client.send('hello');
      await client.untilText('hello');
      lb4.child.kill('SIGTERM');
      t.match(await service.report(/^STOPPING=1/), /^STOPPING=1\nSTATUS=draining, 1 listener, 1 session, /);
      client.halfClose();
      t.same(await ended(lb4.child), { code: 0, signal: null });
      t.same(
        service.reports().map(report => report.split('=')[0]),
        ['READY', 'STOPPING'],
        'nothing else, and each once',
      );
    },
  );
}

void t.test(
  'a reload is reported, and its end too, also where the file is wrong',
  { skip: withoutLibc },
  async t => {
    const service = manager(t);
    const folder = temporaryFolder(t);
    const path = join(folder, 'lb4.yaml');
    const config = `listeners: [{ name: web, bind: ['127.0.0.1:0'], upstream: app }]
upstreams: [{ name: app, health: off, backends: ['127.0.0.1:1'] }]
`;
    writeFileSync(path, config);
    const lb4 = await startLb4(t, ['-c', path], { env: { NOTIFY_SOCKET: service.path } });
    await service.report(/^READY=1/);
    const kinds = (): string[] => service.reports().map(report => report.split('=')[0] ?? '');
    lb4.child.kill('SIGHUP');
    await until('it has reloaded', () => kinds().length === 3);
    writeFileSync(path, 'listeners: 7');
    lb4.child.kill('SIGHUP');
    await until('it has refused the file', () => kinds().length === 5);
    t.same(kinds(), ['READY', 'RELOADING', 'READY', 'RELOADING', 'READY']);
    const [, us] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(await service.report(/^RELOADING/)) ?? [];
    const now = Number(process.hrtime.bigint() / 1_000n);
    t.ok(Number(us) < now && Number(us) > now - 60e6, 'by the clock that systemd compares it with');
    t.equal(await lb4.stop(), 0);
  },
);

void t.test(
  'it is alive as often as WATCHDOG_USEC asks for, and not while its only worker stands still',
  { skip: withoutLibc },
  async t => {
    const service = manager(t);
    const folder = temporaryFolder(t);
    // A strategy that blocks its thread for good when a certain client comes.
    writeFileSync(
      join(folder, 'block.js'),
      `export function createStrategy(candidates) {
         return { pick({ clientAddress, skip }) {
           if (clientAddress === '127.0.0.2') for (;;);
           return candidates.find(candidate => !skip?.(candidate));
         } };
       }`,
    );
    const lb4 = await startLb4(
      t,
      ['-b', '127.0.0.1:1', '--health', 'off', '-s', join(folder, 'block.js'), '--workers', '1'],
      { env: { NOTIFY_SOCKET: service.path, WATCHDOG_USEC: '200000' } },
    );
    const alive = (): number => service.reports().filter(report => report === 'WATCHDOG=1').length;
    await until('it has reported that it is alive three times', () => alive() >= 3);
    const client = connect({ host: lb4.host, port: lb4.port, localAddress: '127.0.0.2' });
    client.on('error', () => undefined);
    t.teardown(() => client.destroy());
    await lb4.line(({ event }) => event === 'workerStalled');
    const before = alive();
    lb4.child.kill('SIGUSR1');
    await lb4.line(({ event }) => event === 'snapshot');
    // Five times as long as two signs of life are apart, by the clock of control, which moves.
    await new Promise(resolve => setTimeout(resolve, 500));
    t.ok(alive() - before <= 1, `${alive() - before} signs of life`);
    lb4.child.kill('SIGKILL');
    await ended(lb4.child);
  },
);

void t.test(
  'without koffi systemd-notify reports',
  { skip: withoutLibc === false ? skipWithout('systemd-notify') : withoutLibc },
  async t => {
    const service = manager(t);
    const lb4 = await startLb4(t, ['-b', '127.0.0.1:1', '--health', 'off'], {
      env: { NOTIFY_SOCKET: service.path },
      command: [process.execPath, ...WITHOUT_FFI, LB4],
    });
    t.match(await service.report(/^READY=1/), /^READY=1\nSTATUS=running, 1 listener, /);
    lb4.child.kill('SIGTERM');
    t.match(await service.report(/^STOPPING=1/), /STATUS=draining/);
    await ended(lb4.child);
  },
);

void t.test('a start that fails leaves its reason in the status', { skip: withoutLibc }, async t => {
  const service = manager(t);
  const taken = await startBackend(t);
  const child = spawn(process.execPath, [LB4, '-b', '127.0.0.1:1', '-l', formatAddress(taken.address)], {
    stdio: 'ignore',
    env: { ...process.env, NOTIFY_SOCKET: service.path },
  });
  t.equal((await ended(child)).code, 69);
  t.match(service.reports(), [/^STATUS=cannot listen on .*: EADDRINUSE/]);
});

for (const format of ['json', 'text'] as const) {
  void t.test(`in the journal each ${format} line has its level before it`, async t => {
    const folder = temporaryFolder(t);
    const path = join(folder, 'journal');
    const journal = openSync(path, 'a');
    t.teardown(() => closeSync(journal));
    const { dev, ino } = fstatSync(journal, { bigint: true });
    const run = async (args: readonly string[]): Promise<void> => {
      const child = spawn(process.execPath, [LB4, ...args], {
        stdio: ['ignore', 'ignore', journal],
        env: { ...process.env, JOURNAL_STREAM: `${dev}:${ino}` },
      });
      t.teardown(() => child.kill('SIGKILL'));
      const text = (): string => readFileSync(path, 'utf8');
      if (args.includes('--health-interval')) {
        await until('the backend is down', () => text().includes('is down'), 30_000);
        child.kill('SIGTERM');
      }
      await ended(child);
    };
    await run([
      '-b',
      '127.0.0.1:1',
      '-l',
      '127.0.0.1:0',
      '--health-interval',
      '10ms',
      '--log-format',
      format,
    ]);
    await run(['-b', 'x']);
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    t.equal(lines.filter(line => !/^<[3467]>[^<]/.test(line)).join('\n'), '', 'each of them');
    t.match(
      lines.find(line => line.includes('has started')),
      /^<6>/,
    );
    t.match(
      lines.find(line => line.includes('is down')),
      /^<4>/,
    );
    t.match(lines.at(-1), /^<3>lb4: /);
  });
}
