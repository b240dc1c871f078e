/**
 * A connect to a port of this machine, on which nobody listens, that TCP joins to itself: refused, wherever lb4
 * connects. Tried in a network namespace whose only port to be given away is the one that is connected to.
 */
import { once } from 'node:events';
import { createServer, type LookupFunction } from 'node:net';
import t, { type Test } from 'tap';

import type { ConnectResult } from '../../../src/engine/engine.ts';
import * as abi from '../../../src/linux/abi.ts';
import { loadLibc, type Libc } from '../../../src/linux/libc.ts';
import { resetDescriptor } from '../../../src/linux/listening-sockets.ts';
import { encodeAddress } from '../../../src/linux/sockaddr.ts';
import { createNodeEngine } from '../../../src/engine/node/node-engine.ts';
import { openSocket } from '../../../src/engine/node/open-socket.ts';
import { SelfConnects } from '../../../src/support/self-connect.ts';
import { AgentChecker } from '../../../src/control/health/agent-checker.ts';
import { plainConnector } from '../../../src/control/mirror/redis-connectors.ts';
import { parseAddress, type Address, type TcpAddress } from '../../../src/support/address.ts';
import { connectTo } from '../../contracts/engine/fixture.ts';
import { newEpollEngine } from '../../harness/epoll-engine.ts';
import { FakeTimers } from '../../harness/fake-timers.ts';
import { NetworkNamespace } from '../../harness/network-namespace.ts';
import { until } from '../../harness/until.ts';
import { failedWith, probeOnce } from '../control/health/probing.ts';

const HERE: TcpAddress = { kind: 'tcp', host: '127.0.0.1', port: 50_123 };
const REFUSED: ConnectResult = { ok: false, failure: { reason: 'refused', code: 'ECONNREFUSED' } };
const clock = { nowMs: 0 };
const loaded = loadLibc();

void t.test('it can happen at addresses of this machine, at ports that the system gives away', async t => {
  const machine = (range: string) => ({
    addresses: () => ['192.0.2.1', 'fd00::1', 'fe80::1'],
    readFile: (path: string) => {
      t.equal(path, '/proc/sys/net/ipv4/ip_local_port_range');
      if (range === '') throw new Error('no such file');
      return range;
    },
  });
  const at = (text: string, range = '32768\t60999\n'): boolean => {
    const parsed = parseAddress(text);
    if (!parsed.ok) throw new Error(parsed.expected);
    return new SelfConnects(parsed.address, machine(range)).mayBe(0);
  };
  for (const host of [
    '127.0.0.1',
    '127.1.2.3',
    '0.0.0.0',
    '192.0.2.1',
    '[::1]',
    '[::]',
    '[fd00::1]',
    '[fe80::1%eth0]',
  ])
    t.ok(at(`${host}:40000`), host);
  for (const host of ['[::ffff:127.0.0.1]', '[::ffff:192.0.2.1]']) t.ok(at(`${host}:40000`), host);
  for (const host of ['192.0.2.2', '10.0.0.1', '[fd00::2]', '[::ffff:10.0.0.1]'])
    t.notOk(at(`${host}:40000`), host);
  for (const port of [80, 32_767, 61_000]) t.notOk(at(`127.0.0.1:${port}`), String(port));
  for (const port of [32_768, 60_999]) t.ok(at(`127.0.0.1:${port}`), String(port));
  t.ok(at('127.0.0.1:8080', ''), 'where the system does not tell, at any port');
  t.notOk(at('unix:/run/x'));
});

void t.test(
  'one that has reached a server stands for those of the next second, until a connect fails',
  async t => {
    const at = (range: string) =>
      new SelfConnects({ ...HERE }, { addresses: () => [], readFile: () => range });
    const connects = at('32768\t60999\n');
    t.ok(connects.mayBe(5), 'before one has succeeded');
    connects.wasNone(5);
    t.notOk(connects.mayBe(1004));
    t.ok(connects.mayBe(1005), 'a second later');
    connects.wasNone(1005);
    connects.failed();
    t.ok(connects.mayBe(1005), 'after a failure');
    const narrow = at('50000\t50200\n');
    narrow.wasNone(5);
    t.ok(narrow.mayBe(5), 'where few ports are given, each is asked about');
  },
);

void t.test('sessions pay nothing for the question while their backend answers', async t => {
  if (!loaded.ok) {
    t.pass(`skipped: ${loaded.reason}`, { skip: true });
    return;
  }
  let calls = 0;
  const count =
    (call: 'getsockname' | 'getpeername') => (fd: number, name: Uint8Array, length: Uint8Array) => {
      calls += 1;
      return loaded.libc[call](fd, name, length);
    };
  const libc = { ...loaded.libc, getsockname: count('getsockname'), getpeername: count('getpeername') };
  const backend = await startBackend(t);
  const engine = newEpollEngine({ libc });
  for (let i = 0; i < 3; i++) {
    const result = await connectTo(engine, backend);
    t.ok(result.ok);
    if (result.ok) result.connection.reset();
    t.equal(calls, 1, 'the first one has asked');
  }
});

void t.test('where it has happened the connect is refused, and the port is free at once', async t => {
  if (!loaded.ok) {
    t.pass(`skipped: ${loaded.reason}`, { skip: true });
    return;
  }
  const { libc } = loaded;
  const namespace = await narrowNamespace(t);
  if (namespace === undefined) return;
  /** Connects where a socket can only reach itself. */
  const there = async (what: string, connect: () => Promise<unknown>, expected: unknown): Promise<void> => {
    const [result, isFree] = await namespace.run(async () => [await connect(), canBind(libc)] as const);
    t.strictSame(result, expected, what);
    t.ok(isFree, `${what}: the port is free`);
  };

  const control = await namespace.run(async () => reachesItself(libc));
  t.ok(control, 'so it does here, where nobody looks');
  await there('epoll engine', () => connectTo(newEpollEngine(), fresh()), REFUSED);
  await there('node engine', () => connectTo(createNodeEngine({ clock }), fresh()), REFUSED);
  for (const keys of [
    { type: 'tcp' },
    { type: 'http', path: '/' },
    { type: 'tls' },
    { type: 'sendExpect', send: 'x', expect: 'x' },
  ]) {
    const expected = failedWith('refused (ECONNREFUSED)');
    await there(`a check of type ${keys.type}`, () => probeOnce(fresh(), keys), expected);
  }
  await there('an agent', () => askAgent(t), 'no answer');
  await there('a Redis', () => connectToRedis(), 'closed');
});

async function startBackend(t: Test): Promise<Address> {
  const server = createServer(client => client.on('error', () => undefined)).listen({
    host: '127.0.0.1',
    port: 0,
  });
  t.teardown(() => server.close());
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('it has no port');
  return { kind: 'tcp', host: '127.0.0.1', port: bound.port };
}

/** A namespace whose only port to be given away is HERE's. */
async function narrowNamespace(t: Test): Promise<NetworkNamespace | undefined> {
  try {
    const namespace = await NetworkNamespace.create(`lb4-self-${process.pid}`);
    t.teardown(() => namespace.delete());
    await namespace.set('ipv4/ip_local_port_range', `${HERE.port} ${HERE.port}`);
    return namespace;
  } catch (error) {
    t.pass(`skipped: no network namespaces here (${String(error)})`, { skip: true });
    return undefined;
  }
}

/** What is known of an address is kept with the object. */
function fresh(): Address {
  return { ...HERE };
}

function reachesItself(libc: Libc): boolean {
  const fd = libc.socket(abi.AF_INET, abi.SOCK_STREAM | abi.SOCK_CLOEXEC, 0);
  const { bytes } = encodeAddress(HERE);
  const isConnected = libc.connect(fd, bytes, bytes.length) === 0;
  resetDescriptor(libc, fd);
  return isConnected;
}

/** As a server could that does not ask for SO_REUSEADDR: not while the port is anybody's, nor in TIME_WAIT. */
function canBind(libc: Libc): boolean {
  const fd = libc.socket(abi.AF_INET, abi.SOCK_STREAM | abi.SOCK_CLOEXEC, 0);
  const { bytes } = encodeAddress(HERE);
  const isBound = libc.bind(fd, bytes, bytes.length) === 0;
  libc.close(fd);
  return isBound;
}

/** One question to an agent, which would take back its own words for an answer. */
async function askAgent(t: Test): Promise<string> {
  const timers = new FakeTimers();
  const answers: unknown[] = [];
  const checker = new AgentChecker(
    { intervalMs: 1_000, timeoutMs: 1_000, send: '50%\n' },
    {
      now: () => performance.now(),
      random: () => 0.5,
      setTimer: timers.setTimer,
      openSocket: address => openSocket(address, undefined),
      addressesOf: () => [fresh()],
      onAnswer: (_, answer) => answers.push(answer),
    },
  );
  t.teardown(() => checker.stop());
  checker.add('a');
  // The attempt's own timer, then the one for the next attempt.
  await until('it is over', () => answers.length > 0 || timers.delays.length > 2);
  checker.stop();
  return answers.length === 0 ? 'no answer' : JSON.stringify(answers);
}

async function connectToRedis(): Promise<string> {
  const lookup: LookupFunction = (_, __, done) => done(null, HERE.host, 4);
  const connector = new (plainConnector({ lookup }))({ ...HERE, disconnectTimeout: 1000 });
  const stream = await connector.connect(() => undefined);
  stream.write('PING\r\n');
  return await new Promise(resolve => {
    stream.once('data', () => resolve('its own words'));
    stream.once('close', () => resolve('closed'));
  });
}
