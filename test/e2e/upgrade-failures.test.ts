/** A newcomer that does not come up: the predecessor goes on as if nothing had been, and says why. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { LB4, type LogLine } from '../harness/lb4-process.ts';
import { ended } from '../harness/programs.ts';
import { FULL } from '../harness/full-load.ts';
import type { Peer } from '../harness/peer.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { isRunning, startUpgradedLb4, untilGone, type UpgradedLb4 } from '../harness/upgraded-lb4.ts';
import { until } from '../harness/until.ts';
import { WITHOUT_FFI } from '../harness/without-koffi.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;
// Each upgrade starts a process, and there are many.
t.setTimeout(120_000);

interface Running {
  readonly lb4: UpgradedLb4;
  readonly file: string;
  readonly folder: string;
  /** A configuration with this strategy, and these addresses besides. */
  readonly configure: (strategy?: string, bind?: readonly string[]) => void;
  /** A strategy that does this when it is loaded. */
  readonly strategy: (code: string) => string;
  readonly session: (address: Address) => Promise<Peer>;
  readonly addresses: readonly Address[];
}

async function start(t: Test, engine: string, env: NodeJS.ProcessEnv = {}): Promise<Running> {
  const backend = await startBackend(t, scripts.echo);
  const folder = temporaryFolder(t);
  const file = join(folder, 'lb4.json');
  const configure = (strategy = 'leastconn', bind: readonly string[] = []): void =>
    writeFileSync(
      file,
      JSON.stringify({
        ...{ engine, workers: 1, drainTimeout: '2s', admin: { bind: '127.0.0.1:0' } },
        listeners: [
          { name: 'web', bind: ['127.0.0.1:0', `unix:${folder}/web.sock`, ...bind], upstream: 'app' },
        ],
        upstreams: [{ name: 'app', strategy, health: 'off', backends: [formatAddress(backend.address)] }],
      }),
    );
  configure();
  const lb4 = await startUpgradedLb4(t, ['-c', file, '--pid-file', join(folder, 'pid')], { env });
  return {
    ...{ lb4, file, folder, configure },
    strategy: code => {
      writeFileSync(
        join(folder, 'own.mjs'),
        `${code}\nexport default candidates => ({ pick: ({ skip = () => false }) => candidates.find(each => !skip(each)) });\n`,
      );
      return './own.mjs';
    },
    session: async address => {
      const client = await connectClient(t, address);
      await client.send('x');
      await client.untilText('x');
      return client;
    },
    addresses: [
      { kind: 'tcp', host: lb4.host, port: lb4.port },
      { kind: 'unix', path: join(folder, 'web.sock') },
    ],
  };
}

const failure = async (upgrading: Promise<LogLine>): Promise<string> =>
  upgrading.then(
    () => 'it has upgraded',
    (error: unknown) => (error instanceof Error ? error.message : ''),
  );

const newcomersOf = (lb4: UpgradedLb4): number[] =>
  lb4.lines.filter(({ event }) => event === 'upgradeStarted').map(({ newcomer }) => Number(newcomer));

for (const engine of FULL ? ['epoll', 'node'] : ['epoll']) {
  void t.test(`${engine}: whatever is wrong with the newcomer, nothing changes`, { skip }, async t => {
    const running = await start(t, engine);
    const { lb4, file, folder, configure, strategy, addresses } = running;
    const other = createServer().listen(0, '127.0.0.1');
    t.teardown(() => other.close());
    await once(other, 'listening');
    const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    const sessions = await Promise.all(addresses.map(address => running.session(address)));

    const cases: readonly (readonly [string, () => void, RegExp])[] = [
      ['no JSON', () => writeFileSync(file, '{'), /lb4\.json:1:/],
      ['a wrong value', () => configure('best'), /lb4\.json:1:\d+ {2}upstreams\[0\]\.strategy: /],
      ['a missing strategy', () => configure('./missing.mjs'), /missing\.mjs/],
      ['an address that is taken', () => configure('first', [taken]), /cannot listen on .*EADDRINUSE|in use/],
      [
        'killed while it starts',
        () => configure(strategy('process.kill(process.pid, "SIGKILL");')),
        /it ended with SIGKILL before it was ready/,
      ],
    ];
    for (const [what, put, why] of cases) {
      put();
      const message = await failure(lb4.upgrade());
      t.match(message, /^the upgrade \(SIGUSR2\) has failed, and lb4 goes on as before: /, what);
      t.match(message, why, what);
      for (const client of sessions) await client.send('y');
      for (const address of addresses) (await running.session(address)).halfClose();
    }
    t.equal(readFileSync(join(folder, 'pid'), 'utf8'), `${lb4.pid}\n`);
    for (const pid of newcomersOf(lb4)) t.notOk(isRunning(pid), 'newcomers have ended');
    for (const client of sessions) {
      await client.untilText('xyyyyy');
      client.halfClose();
      t.equal(await client.untilEnded(), 'fin');
    }
    configure();
    await lb4.upgrade();
    for (const address of addresses) (await running.session(address)).halfClose();
    process.kill(lb4.current(), 'SIGTERM');
    await untilGone(lb4.current());
    t.notOk(existsSync(join(folder, 'pid')));
    t.notOk(existsSync(join(folder, 'web.sock')));
  });
}

const BLOCKED = 'for (;;);';
const SLOW = 'await new Promise(resolve => setTimeout(resolve, 1_000));';
const NEVER = 'await new Promise(resolve => setTimeout(resolve, 60_000));';

void t.test('while one is under way another is refused, and so are changes', { skip }, async t => {
  const { lb4, configure, strategy } = await start(t, 'auto');
  configure(strategy(SLOW));
  process.kill(lb4.pid, 'SIGUSR2');
  const started = await lb4.line(({ event }) => event === 'upgradeStarted');
  const admin = String((await lb4.line(({ event }) => event === 'adminListening'))['address']);
  const ask = async (method: string, path: string, body: object) => {
    const answer = await fetch(`http://${admin}/api/v1/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { detail } = (await answer.json()) as { detail: string };
    return { status: answer.status, detail };
  };
  t.match(await ask('POST', 'upgrade', {}), {
    status: 409,
    detail: `another lb4 (process ${Number(started['newcomer'])}) is being started already`,
  });
  const { upstreams } = (await (await fetch(`http://${admin}/api/v1/status`)).json()) as {
    upstreams: { backends: { backend: string }[] }[];
  };
  const backend = upstreams[0]?.backends[0]?.backend ?? '';
  t.match(await ask('PATCH', `upstreams/app/backends/${backend}`, { weight: 5 }), {
    status: 409,
    detail: /another lb4 is about to take over/,
  });
  process.kill(lb4.pid, 'SIGUSR2');
  t.match(await lb4.line(({ event, trigger }) => event === 'upgradeRefused' && trigger === 'signal'), {
    level: 'warn',
    message: /being started already; nothing was changed$/,
  });
  await lb4.line(({ event }) => event === 'upgraded');
});

for (const [what, code] of [
  ['hangs', NEVER],
  ['blocks its thread', BLOCKED],
]) {
  void t.test(`SIGTERM ends a newcomer that ${what}, and drains`, { skip }, async t => {
    const { lb4, configure, strategy, session, addresses } = await start(t, 'auto');
    const [address] = addresses;
    const client = await session(address!);
    configure(strategy(code!));
    const upgrading = failure(lb4.upgrade());
    await lb4.line(({ event }) => event === 'upgradeStarted');
    lb4.child.kill('SIGTERM');
    t.match(await upgrading, /lb4 was told to end meanwhile/);
    await client.send('y');
    await client.untilText('xy');
    client.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    t.same(await ended(lb4.child), { code: 0, signal: null });
    for (const pid of newcomersOf(lb4)) t.notOk(isRunning(pid));
  });
}

void t.test('a newcomer that is not ready in time is ended', { skip }, async t => {
  const { lb4, configure, strategy, session, addresses } = await start(t, 'auto', {
    LB4_TEST_UPGRADE_MS: '700',
  });
  configure(strategy(NEVER));
  t.match(await failure(lb4.upgrade()), /goes on as before: it was not ready within 0\.7 s$/);
  for (const pid of newcomersOf(lb4)) t.notOk(isRunning(pid));
  for (const address of addresses) (await session(address)).halfClose();
});

void t.test('if the predecessor dies in the middle, the newcomer goes on', { skip }, async t => {
  const { lb4, folder, configure, strategy, session, addresses } = await start(t, 'auto');
  configure(strategy(SLOW));
  process.kill(lb4.pid, 'SIGUSR2');
  const newcomer = Number((await lb4.line(({ event }) => event === 'upgradeStarted'))['newcomer']);
  lb4.child.kill('SIGKILL');
  await lb4.line(({ event }) => event === 'tookOver');
  await lb4.line(({ event, pid }) => event === 'started' && pid === newcomer);
  await until('the pid file is its own', () => readFileSync(join(folder, 'pid'), 'utf8') === `${newcomer}\n`);
  for (const address of addresses) (await session(address)).halfClose();
  process.kill(newcomer, 'SIGTERM');
  await untilGone(newcomer);
  t.notOk(existsSync(join(folder, 'web.sock')));
});

async function refusal(t: Test, command: readonly string[]): Promise<string> {
  const [program = '', ...args] = command;
  const child = spawn(program, [...args, '-b', '127.0.0.1:81', '-l', '127.0.0.1:0', '--health', 'off'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  await until('it has started', () => said.includes('"event":"started"'));
  const inner = /unshare/.test(program) ? innerPid(child.pid ?? 0) : (child.pid ?? 0);
  process.kill(inner, 'SIGUSR2');
  await until('it has answered', () => said.includes('upgradeRefused'));
  process.kill(inner, 'SIGTERM');
  await ended(child);
  return /"message":"(no upgrade[^"]*)"/.exec(said)?.[1] ?? said;
}

const innerPid = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());

void t.test(
  'process 1 of a container says that the container is to be replaced',
  {
    skip: (process.platform !== 'linux' || process.getuid?.() !== 0) && 'needs root on Linux',
  },
  async t => {
    t.match(
      await refusal(t, ['unshare', '--pid', '--fork', '--kill-child', process.execPath, LB4]),
      'no upgrade (SIGUSR2): lb4 is process 1 of a container, which ends with it: replace the container instead; nothing was changed',
    );
  },
);

void t.test('without the C library sockets cannot be handed over, and lb4 says so', async t => {
  t.match(
    await refusal(t, [process.execPath, ...WITHOUT_FFI, LB4]),
    'no upgrade (SIGUSR2): sockets cannot be handed over without the C library: koffi cannot be loaded',
  );
});
