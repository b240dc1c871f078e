/** What both engines ask of the kernel so that vanished peers are noticed, read back from the kernel. */
import type { SocketOptions } from '../../../src/support/socket.ts';
import t, { type Test } from 'tap';

import type { Connection, Engine } from '../../../src/engine/engine.ts';
import * as abi from '../../../src/linux/abi.ts';
import { EpollConnection } from '../../../src/engine/epoll/epoll-connection.ts';
import { loadLibc, type Libc } from '../../../src/linux/libc.ts';
import { descriptorOf } from '../../../src/support/descriptor.ts';
import { NodeConnection } from '../../../src/engine/node/node-connection.ts';
import { createNodeEngine } from '../../../src/engine/node/node-engine.ts';
import type { Address } from '../../../src/support/address.ts';
import { anywhere, connectTo } from '../../contracts/engine/fixture.ts';
import { startBackend } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import { newEpollEngine } from '../../harness/epoll-engine.ts';
import { FakeTimers } from '../../harness/fake-timers.ts';
import { until } from '../../harness/until.ts';

const OPTIONS: SocketOptions = {
  keepalive: { idleMs: 61_000, intervalMs: 11_500, count: 7 },
  userTimeoutMs: 12_345,
};
const SET = { keepalive: 1, idle: 61, interval: 12, count: 7, userTimeout: 12_345 };
const OFF = { keepalive: 0, userTimeout: 0 };

const loaded = loadLibc();
if (loaded.ok) tests(loaded.libc);
else t.pass(`skipped: ${loaded.reason}`, { skip: true });

function tests(libc: Libc): void {
  /** An engine whose clock and timers are the test's; `calls` counts what it has set on sockets. */
  const engines = {
    epoll: ({ clock, setTimer, calls }: World) =>
      newEpollEngine({ clock, setTimer, libc: counting(libc, calls) }),
    node: (deps: World) => createNodeEngine({ ...deps, libc: counting(libc, deps.calls) }),
  };

  for (const name of ['epoll', 'node'] as const) {
    const create = engines[name];

    void t.test(
      `${name} engine: clients inherit keepalive and user timeout, without a call of their own`,
      async t => {
        const world = newWorld();
        const { address, accepted } = await listen(t, create(world), OPTIONS);
        const before = world.calls.setsockopt;
        await connectClient(t, address);
        await until('it is accepted', () => accepted.length === 1);
        t.match(read(libc, accepted[0]), SET);
        if (name === 'epoll') t.equal(world.calls.setsockopt, before);
      },
    );

    void t.test(`${name} engine: without them a client has none`, async t => {
      const { address, accepted } = await listen(t, create(newWorld()), {});
      await connectClient(t, address);
      await until('it is accepted', () => accepted.length === 1);
      t.match(read(libc, accepted[0]), OFF);
    });

    void t.test(
      `${name} engine: a backend's connection gets keepalive once it could ask for the first time`,
      async t => {
        const world = newWorld();
        const connection = await connectedTo(t, create(world), OPTIONS);
        t.match(read(libc, connection), { keepalive: 0, userTimeout: 12_345 }, 'a new one costs nothing');
        world.clock.nowMs = 60_000;
        world.timers.fireAll();
        t.match(read(libc, connection), { keepalive: 0 }, 'an older one neither');
        world.clock.nowMs = 61_000;
        world.timers.fireAll();
        t.match(read(libc, connection), SET);
      },
    );

    void t.test(`${name} engine: one that has ended before is left alone`, async t => {
      const world = newWorld();
      const connection = await connectedTo(t, create(world), OPTIONS);
      connection.reset();
      const before = world.calls.setsockopt;
      // Its descriptor's number is somebody else's now.
      await until('it is closed', () => isClosed(connection));
      world.clock.nowMs = 61_000;
      world.timers.fireAll();
      t.equal(world.calls.setsockopt, before);
    });

    void t.test(`${name} engine: unix sockets know neither`, async t => {
      const world = newWorld();
      const engine = create(world);
      const { address, accepted } = await listen(t, engine, OPTIONS, anywhere(t, 'unix'));
      await connectClient(t, address);
      await until('it is accepted', () => accepted.length === 1);
      await connectedTo(t, engine, OPTIONS, anywhere(t, 'unix'));
      world.clock.nowMs = 61_000;
      world.timers.fireAll();
      t.equal(world.calls.setsockopt, 0);
    });
  }

  void t.test('node engine without the C library: keepalive after the time that is configured', async t => {
    for (const takesHandles of [true, false]) {
      const world = newWorld();
      const engine = createNodeEngine({ ...world, takesHandles });
      const { address, accepted } = await listen(t, engine, OPTIONS);
      await connectClient(t, address);
      await until('it is accepted', () => accepted.length === 1);
      t.match(read(libc, accepted[0]), { keepalive: 1, idle: 61 });
      const connection = await connectedTo(t, engine, OPTIONS);
      world.clock.nowMs = 61_000;
      world.timers.fireAll();
      t.match(read(libc, connection), { keepalive: 1, idle: 61 });
    }
  });
}

interface World {
  readonly clock: { nowMs: number };
  readonly timers: FakeTimers;
  readonly setTimer: FakeTimers['setTimer'];
  readonly calls: { setsockopt: number };
}

function newWorld(): World {
  const timers = new FakeTimers();
  return { clock: { nowMs: 0 }, timers, setTimer: timers.setTimer, calls: { setsockopt: 0 } };
}

function counting(libc: Libc, calls: World['calls']): Libc {
  const setsockopt: Libc['setsockopt'] = (...args) => {
    const isAnybodys = args[2] === abi.TCP_NODELAY || args[2] === abi.SO_REUSEADDR;
    if (!isAnybodys && args[2] !== abi.SO_LINGER) calls.setsockopt += 1;
    return libc.setsockopt(...args);
  };
  return { ...libc, setsockopt };
}

async function listen(
  t: Test,
  engine: Engine,
  options: SocketOptions,
  where: Address = anywhere(t, 'IPv4'),
): Promise<{ address: Address; accepted: Connection[] }> {
  const accepted: Connection[] = [];
  const listener = await engine.listen(where, { onClient: client => accepted.push(client) }, options);
  t.teardown(() => {
    void listener.close();
    for (const client of accepted) client.reset();
  });
  return { address: listener.address, accepted };
}

async function connectedTo(
  t: Test,
  engine: Engine,
  options: SocketOptions,
  where: Address = anywhere(t, 'IPv4'),
): Promise<Connection> {
  const { address } = await startBackend(t, undefined, where);
  const result = await connectTo(engine, address, 5000, options);
  if (!result.ok) throw new Error(result.failure.code);
  t.teardown(() => result.connection.reset());
  return result.connection;
}

function isClosed(connection: Connection): boolean {
  return connection instanceof EpollConnection ? connection.closed : fdOf(connection) === undefined;
}

function fdOf(connection: Connection | undefined): number | undefined {
  if (connection instanceof EpollConnection) return connection.fd;
  if (connection instanceof NodeConnection) return descriptorOf(connection.socket);
  return undefined;
}

function read(libc: Libc, connection: Connection | undefined): Record<string, number> {
  const get = (level: number, option: number): number => {
    const value = Buffer.alloc(4);
    libc.getsockopt(fdOf(connection) ?? -1, level, option, value, Buffer.from([4, 0, 0, 0]));
    return value.readInt32LE(0);
  };
  return {
    keepalive: get(abi.SOL_SOCKET, abi.SO_KEEPALIVE),
    idle: get(abi.IPPROTO_TCP, abi.TCP_KEEPIDLE),
    interval: get(abi.IPPROTO_TCP, abi.TCP_KEEPINTVL),
    count: get(abi.IPPROTO_TCP, abi.TCP_KEEPCNT),
    userTimeout: get(abi.IPPROTO_TCP, abi.TCP_USER_TIMEOUT),
  };
}
