/** The warm pool over real sockets: stale spares, greetings, refused connects. */
import type { Socket } from 'node:net';
import t from 'tap';
import type { Acquired, ConnectionPool } from '../../pool/connection-pool.ts';
import { createWarmPool, type WarmPoolOptions } from '../../pool/index.ts';
import { FakeClock } from '../harness/fake-clock.ts';
import { SocketBackend, type SocketConnection, SocketConnector } from './socket-connection.ts';

type Pool = ConnectionPool<SocketConnection, string>;

/** A warm pool whose timers stand still: what happens is the sockets' doing. */
function setUp(port: number, options: Partial<WarmPoolOptions> = {}) {
  const connector = new SocketConnector(port);
  const clock = new FakeClock(5_000);
  const pool = createWarmPool(
    { warm: 1, maxIdleMs: 60_000, maxWaiting: 10, acquireTimeoutMs: 60_000, ...options },
    {
      connect: connector.connect,
      now: clock.now,
      random: () => 0,
      setTimer: clock.setTimer,
      failures: { timeout: 'timeout', full: 'full' },
    },
  );
  return { connector, clock, pool };
}

const acquire = (pool: Pool): Promise<Acquired<SocketConnection, string>> =>
  new Promise(resolve => pool.acquire(resolve));

/** Waits for what no event of the pool's tells: turns of the event loop, at most until tap's timeout. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve));
}

await t.test('a refused backend costs one connect attempt per acquire', async t => {
  const gone = await SocketBackend.listen();
  const { port } = gone;
  await gone.close();
  const { connector, clock, pool } = setUp(port);
  t.teardown(() => pool.close());
  await until(() => clock.delaysMs.length > 0);
  t.equal(connector.attempts, 1, 'the refill, now backing off');
  const results = await Promise.all(Array.from({ length: 20 }, () => acquire(pool)));
  t.same(
    results.map(result => !result.ok && result.failure),
    results.map(() => 'ECONNREFUSED'),
  );
  t.equal(connector.attempts, 21);
  t.strictSame(clock.delaysMs, [100]);
});

await t.test('a spare is one accepted connection, and lending it makes no new one', async t => {
  const backend = await SocketBackend.listen();
  const { pool } = setUp(backend.port);
  t.teardown(() => backend.close());
  await until(() => pool.stats().parked === 1 && backend.accepted.length === 1);
  const spare = await acquire(pool);
  t.match(spare, { ok: true, origin: 'warm' });
  t.equal(spare.ok && spare.connection.socket.localPort, backend.accepted[0]!.remotePort);
  pool.close();
});

await t.test('a greeting that came while parked is still there after lending', async t => {
  const backend = await SocketBackend.listen(socket => socket.write('220 ready\r\n'));
  const { pool } = setUp(backend.port);
  t.teardown(() => backend.close());
  await until(() => pool.stats().parked === 1);
  await new Promise<void>(resolve => backend.accepted[0]!.write('hello', () => resolve()));
  const spare = await acquire(pool);
  await until(() => spare.ok && spare.connection.received === '220 ready\r\nhello');
  t.match(spare, { ok: true, origin: 'warm' });
  pool.close();
});

const endings: [string, (socket: Socket) => void][] = [
  ['closed', socket => socket.end()],
  ['reset', socket => socket.resetAndDestroy()],
  ['closed after a greeting', socket => socket.end('421 busy\r\n')],
];
for (const [how, end] of endings) {
  await t.test(`a spare that its backend has ${how} is never lent`, async t => {
    const backend = await SocketBackend.listen();
    const { clock, pool } = setUp(backend.port);
    t.teardown(() => backend.close());
    await until(() => pool.stats().parked === 1 && backend.accepted.length === 1);
    clock.sleep(2_000);
    end(backend.accepted[0]!);
    await until(() => pool.stats().evicted.dead === 1);
    await until(() => pool.stats().parked === 1 && backend.accepted.length === 2);
    const spare = await acquire(pool);
    t.equal(spare.ok && spare.connection.socket.localPort, backend.accepted[1]!.remotePort);
    pool.close();
  });
}

await t.test('a late byte resets a connection left clean, and never reaches another session', async t => {
  const backend = await SocketBackend.listen(socket =>
    socket.on('data', chunk => socket.write(`answer to ${chunk.toString()}`)),
  );
  const { connector, pool } = setUp(backend.port, { warm: 0, reuse: true });
  t.teardown(() => backend.close());
  const ask = async (question: string) => {
    const result = await acquire(pool);
    if (!result.ok) throw new Error(result.failure);
    const { connection, origin } = result;
    connection.received = '';
    connection.socket.write(question);
    await until(() => connection.received === `answer to ${question}`);
    pool.release(connection, true);
    return origin;
  };
  t.equal(await ask('one'), 'new');
  t.equal(await ask('two'), 'reused');
  t.equal(backend.accepted.length, 1);
  backend.accepted[0]!.write('too late');
  await until(() => pool.stats().evicted.late === 1);
  await until(() => backend.accepted[0]!.destroyed);
  t.equal(await ask('three'), 'new');
  t.equal(connector.attempts, 2);
  pool.close();
});

await t.test('a suspended pool makes no connects, and closes what it had parked', async t => {
  const backend = await SocketBackend.listen();
  const { connector, pool } = setUp(backend.port, { warm: 2 });
  t.teardown(() => backend.close());
  await until(() => pool.stats().parked === 2 && backend.accepted.length === 2);
  pool.suspend();
  await until(() => backend.accepted.every(socket => socket.destroyed));
  t.equal(connector.attempts, 2);
  t.equal(pool.stats().evicted.drained, 2);
  pool.close();
});

await t.test('the backend never sees more connections than the limit', async t => {
  let open = 0;
  let most = 0;
  const backend = await SocketBackend.listen(socket => {
    most = Math.max(most, ++open);
    socket
      .once('end', () => {
        open--;
        socket.end();
      })
      .resume();
  });
  const { pool } = setUp(backend.port, { warm: 2, limit: 3, maxWaiting: 50 });
  t.teardown(() => backend.close());
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      const result = await acquire(pool);
      if (!result.ok) throw new Error(result.failure);
      const { socket } = result.connection;
      // Released only when the backend has seen the end, so that its count is exact.
      await new Promise<void>(resolve => socket.once('close', () => resolve()).end());
      pool.release(result.connection);
    }),
  );
  t.ok(most <= 3, `${most} at once`);
  pool.close();
});
