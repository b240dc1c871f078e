/**
 * A defect in control ends lb4 with 1, takes no more clients, and leaves the sessions in workers their time, whatever
 * is under way at that moment.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient, untilRefused } from '../harness/client.ts';
import { LB4, type Lb4Process } from '../harness/lb4-process.ts';
import { notifySocket } from '../harness/notify-socket.ts';
import type { Peer } from '../harness/peer.ts';
import { ended } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { isRunning, startUpgradedLb4, untilGone, type UpgradedLb4 } from '../harness/upgraded-lb4.ts';
import { until } from '../harness/until.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;
t.setTimeout(120_000);

/** What happens in the control thread at a signal that lb4 does not use: a hook, so that lb4 itself has no such door. */
const DEFECTS = {
  exception: 'setImmediate(() => { throw new Error("a defect"); });',
  rejection: 'void Promise.reject(new Error("a defect"));',
  repeated: 'setInterval(() => { throw new Error("a defect at " + Date.now()); }, 20);',
  two: 'setImmediate(() => { throw new Error("a defect"); }); setTimeout(() => { throw new TypeError("one more"); }, 50);',
};

interface Running {
  readonly lb4: UpgradedLb4;
  readonly folder: string;
  readonly web: Address;
  /** Has had its first byte back. */
  readonly client: Peer;
  readonly crash: () => void;
  /** Another strategy in the file, which takes effect at the next reload or upgrade. */
  readonly configure: (strategy: string) => void;
}

interface Setting {
  readonly engine?: string;
  readonly workers?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly config?: object;
}

async function start(
  t: Test,
  defect: keyof typeof DEFECTS,
  { engine = 'auto', workers = 2, env = {}, config = {} }: Setting = {},
): Promise<Running> {
  const folder = temporaryFolder(t);
  const backend = await startBackend(t, scripts.echo);
  const hook = hookFile(folder, defect);
  const file = join(folder, 'lb4.json');
  const configure = (strategy: string): void =>
    writeFileSync(
      file,
      JSON.stringify({
        ...{ engine, workers, admin: { bind: '127.0.0.1:0' }, ...config },
        listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
        upstreams: [{ name: 'app', strategy, health: 'off', backends: [formatAddress(backend.address)] }],
      }),
    );
  configure('leastconn');
  const lb4 = await startUpgradedLb4(t, ['-c', file, '--pid-file', join(folder, 'pid')], {
    env: { NODE_OPTIONS: `--import=${hook}`, ...env },
  });
  const web = { kind: 'tcp', host: lb4.host, port: lb4.port } as const;
  const client = await connectClient(t, web);
  await echoed(client);
  return { lb4, folder, web, client, configure, crash: () => void process.kill(lb4.pid, 'SIGWINCH') };
}

function hookFile(folder: string, defect: keyof typeof DEFECTS): string {
  const path = join(folder, 'defect.mjs');
  writeFileSync(
    path,
    `import { isMainThread } from 'node:worker_threads';
     if (isMainThread) process.on('SIGWINCH', () => { ${DEFECTS[defect]} });`,
  );
  return path;
}

async function echoed(client: Peer): Promise<void> {
  const before = client.receivedBytes;
  await client.send('x');
  await client.untilBytes(before + 1);
}

/** A session goes on as if nothing had been, to an end in order. */
async function expectServed(t: Test, client: Peer): Promise<void> {
  await echoed(client);
  client.halfClose();
  t.equal(await client.untilEnded(), 'fin', 'the session ends in order');
}

async function expectEndWith1(t: Test, lb4: Lb4Process): Promise<void> {
  t.same(await ended(lb4.child), { code: 1, signal: null });
  const lines = lb4.lines.filter(({ event }) => event === 'crashed');
  t.equal(lines.length, 1, 'the defect is logged once');
}

for (const [defect, engine] of [
  ['exception', 'epoll'],
  ['rejection', 'node'],
] as const) {
  void t.test(`${defect}, ${engine}: sessions go on, and new clients are refused`, { skip }, async t => {
    if (!loaded.ok) return;
    const manager = notifySocket(t, loaded.libc);
    const env = { NOTIFY_SOCKET: manager.path };
    const { lb4, folder, web, client, crash } = await start(t, defect, { engine, env });
    const admin = String((await lb4.line(({ event }) => event === 'adminListening'))['address']);
    crash();
    await untilRefused(t, web);
    const line = await lb4.line(({ event }) => event === 'crashed');
    t.match(line['message'], /^a defect ends lb4: Error: a defect at /);
    t.match(await lb4.line(({ event }) => event === 'drainStarted'), { timeoutMs: 30_000 });
    t.match(
      await manager.report(/^STOPPING=1/),
      /STATUS=a defect ends lb4: Error: a defect at .*; running, /,
    );
    t.match(await manager.report(/draining/), /^STOPPING=1\nSTATUS=a defect ends lb4: .*; draining, /);
    t.equal((await fetch(`http://${admin}/readyz`)).status, 503, 'it is not ready');
    t.equal((await fetch(`http://${admin}/healthz`)).status, 200, 'and is left to end by itself');
    await expectServed(t, client);
    await expectEndWith1(t, lb4);
    t.notOk(existsSync(join(folder, 'pid')));
  });
}

void t.test('an error that comes again and again is logged once, and counted', { skip }, async t => {
  const { lb4, web, client, crash } = await start(t, 'repeated');
  crash();
  await untilRefused(t, web);
  for (let i = 0; i < 5; i++) await echoed(client);
  await expectServed(t, client);
  await expectEndWith1(t, lb4);
  t.match(await lb4.line(({ event }) => event === 'crashRepeated'), { repeats: Number });
});

void t.test('another error: control cannot go on, and every session is reset', { skip }, async t => {
  const { lb4, client, crash } = await start(t, 'two');
  crash();
  t.equal(await client.untilEnded(), 'reset');
  await expectEndWith1(t, lb4);
  const line = await lb4.line(({ event }) => event === 'crashedAgain');
  t.match(line['message'], /another error: TypeError: one more at /);
});

void t.test('without workers every session is reset at once', { skip }, async t => {
  const { lb4, client, crash } = await start(t, 'exception', { workers: 0 });
  crash();
  t.equal(await client.untilEnded(), 'reset');
  await expectEndWith1(t, lb4);
  t.notOk(lb4.lines.some(({ event }) => event === 'drainStarted'));
});

void t.test('what outlasts the deadline is reset, and a delay is left out', { skip }, async t => {
  const config = { drainTimeout: '500ms', drain: { delay: '60s' } };
  const { lb4, web, client, crash } = await start(t, 'exception', { config });
  crash();
  await untilRefused(t, web);
  t.equal(await client.untilEnded(), 'reset');
  await expectEndWith1(t, lb4);
  t.notOk(lb4.lines.some(({ event }) => event === 'drainDelayed'));
});

void t.test('a SIGTERM joins, and the second one ends it at once', { skip }, async t => {
  const { lb4, web, client, crash } = await start(t, 'exception');
  crash();
  await untilRefused(t, web);
  lb4.child.kill('SIGTERM');
  await lb4.line(({ event, message }) => event === 'stopping' && /goes on/.test(String(message)));
  await echoed(client);
  lb4.child.kill('SIGTERM');
  t.equal(await client.untilEnded(), 'reset');
  await expectEndWith1(t, lb4);
});

void t.test('in a drain: it goes on, and ends with 1', { skip }, async t => {
  const { lb4, web, client, crash } = await start(t, 'exception');
  lb4.child.kill('SIGTERM');
  await untilRefused(t, web);
  crash();
  await lb4.line(({ event }) => event === 'crashed');
  await expectServed(t, client);
  await expectEndWith1(t, lb4);
});

void t.test('in the delay of a drain: the delay is over', { skip }, async t => {
  const { lb4, web, client, crash } = await start(t, 'exception', { config: { drain: { delay: '60s' } } });
  lb4.child.kill('SIGTERM');
  await lb4.line(({ event }) => event === 'drainDelayed');
  await echoed(client);
  crash();
  await untilRefused(t, web);
  await expectServed(t, client);
  await expectEndWith1(t, lb4);
});

/** A strategy that takes this long to load, and says when that begins. */
function slowStrategy(folder: string, ms: number): string {
  const code = `process.stderr.write('loading\\n');
    await new Promise(resolve => setTimeout(resolve, ${ms}));
    export default candidates => ({ pick: ({ skip = () => false }) => candidates.find(each => !skip(each)) });`;
  writeFileSync(join(folder, 'slow.mjs'), code);
  return './slow.mjs';
}

void t.test('in a reload that never ends: it is given up, and sessions go on', { skip }, async t => {
  const { lb4, folder, web, client, configure, crash } = await start(t, 'exception');
  configure(slowStrategy(folder, 100_000));
  lb4.child.kill('SIGHUP');
  await untilLoading(lb4);
  crash();
  await untilRefused(t, web);
  await expectServed(t, client);
  await expectEndWith1(t, lb4);
});

async function untilLoading(lb4: Lb4Process, times = 1): Promise<void> {
  await until(
    'a strategy is being loaded',
    () => lb4.other.filter(line => line === 'loading').length >= times,
  );
}

void t.test('in an upgrade: the newcomer takes over, and no client is refused', { skip }, async t => {
  const { lb4, folder, web, client, configure, crash } = await start(t, 'exception');
  configure(slowStrategy(folder, 1_000));
  const upgrading = lb4.upgrade();
  await untilLoading(lb4);
  crash();
  await lb4.line(({ event }) => event === 'crashed');
  await expectServed(t, await connectClient(t, web));
  await upgrading;
  await expectServed(t, await connectClient(t, web));
  await expectServed(t, client);
  await expectEndWith1(t, lb4);
  t.ok(isRunning(lb4.current()), 'the newcomer is the service');
  await expectServed(t, await connectClient(t, web));
  process.kill(lb4.current(), 'SIGQUIT');
  await untilGone(lb4.current());
});

void t.test('after an upgrade: the predecessor ends when its sessions have', { skip }, async t => {
  const { lb4, web, client, crash } = await start(t, 'exception');
  await lb4.upgrade();
  crash();
  await lb4.line(({ event }) => event === 'crashed');
  await expectServed(t, client);
  await expectEndWith1(t, lb4);
  await expectServed(t, await connectClient(t, web));
  process.kill(lb4.current(), 'SIGQUIT');
  await untilGone(lb4.current());
});

void t.test('of a newcomer: the predecessor goes on, and says why', { skip }, async t => {
  const { lb4, folder, client, configure, crash, web } = await start(t, 'exception');
  configure(slowStrategy(folder, 30_000));
  const upgrading = lb4.upgrade();
  const started = await lb4.line(({ event }) => event === 'upgradeStarted');
  await untilLoading(lb4);
  process.kill(Number(started['newcomer']), 'SIGWINCH');
  await t.rejects(upgrading, { message: /goes on as before: a defect: Error: a defect at / });
  await echoed(client);
  await expectServed(t, await connectClient(t, web));
  client.reset();
  crash();
  t.same(await ended(lb4.child), { code: 1, signal: null });
});

void t.test('while it starts: it ends, although a strategy never finishes loading', async t => {
  const folder = temporaryFolder(t);
  const args = ['-b', '127.0.0.1:1', '-l', '127.0.0.1:0', '-s', slowStrategy(folder, 100_000)];
  const hook = hookFile(folder, 'exception');
  const child = spawn(process.execPath, [LB4, ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: `--import=${hook}` },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stderr.on('data', (piece: Buffer) => {
    if (!text.includes('loading') && String(piece).includes('loading')) child.kill('SIGWINCH');
    text += String(piece);
  });
  t.same(await ended(child), { code: 1, signal: null });
  t.match(text, /a defect ends lb4: Error: a defect at /);
});

void t.test('a log that takes nothing does not hold up the end', async t => {
  const folder = temporaryFolder(t);
  const pipe = join(folder, 'pipe');
  t.equal(spawnSync('mkfifo', [pipe]).status, 0);
  const fds = [constants.O_RDONLY | constants.O_NONBLOCK, constants.O_WRONLY | constants.O_NONBLOCK].map(
    mode => openSync(pipe, mode),
  );
  t.teardown(() => fds.forEach(fd => closeSync(fd)));
  const [, writer = -1] = fds;
  const web = { kind: 'unix', path: join(folder, 'web.sock') } as const;
  const hook = hookFile(folder, 'exception');
  const child = spawn(
    process.execPath,
    [LB4, '-b', '127.0.0.1:1', '-l', formatAddress(web), '--health', 'off'],
    {
      stdio: ['ignore', 'ignore', openSync(pipe, constants.O_WRONLY)],
      env: { ...process.env, NODE_OPTIONS: `--import=${hook}` },
    },
  );
  t.teardown(() => child.kill('SIGKILL'));
  await until(
    'it accepts',
    () =>
      connectClient(t, web).then(
        () => true,
        () => false,
      ),
    30_000,
  );
  t.throws(
    () => {
      for (;;) writeSync(writer, 'x'.repeat(512));
    },
    { code: 'EAGAIN' },
  );
  child.kill('SIGWINCH');
  t.same(await ended(child), { code: 1, signal: null });
});
