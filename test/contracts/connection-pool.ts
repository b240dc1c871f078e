/**
 * The suite that every connection pool passes (pool/connection-pool.ts).
 *
 * Place: test/pool/<name>-pool.test.ts calls it once per implementation, with a backend answered by hand.
 */
import type { Test } from 'tap';
import type { Acquired, Connect, ConnectionPool } from '../../pool/connection-pool.ts';
import { FakeBackend, FakeConnection, settle } from '../pool/fake-backend.ts';

type Pool = ConnectionPool<FakeConnection, string>;
type Result = Acquired<FakeConnection, string>;

/** `create` builds a pool that opens no spares until it is resumed. */
export async function connectionPoolSuite(
  t: Test,
  create: (connect: Connect<FakeConnection, string>) => Pool,
): Promise<void> {
  const setUp = async () => {
    const backend = new FakeBackend();
    const results: Result[] = [];
    const pool = create(backend.connect);
    // A pool that opens spares has started one and withdrawn it.
    await settle();
    backend.connects.length = 0;
    return { backend, pool, results, done: (result: Result) => void results.push(result) };
  };

  await t.test('an acquire opens one connection and lends it', async t => {
    const { backend, pool, results, done } = await setUp();
    pool.acquire(done);
    await settle();
    t.match(pool.stats(), { lent: 0, opening: 1 });
    const connection = backend.only().succeed();
    await settle();
    t.strictSame(results, [{ ok: true, connection, origin: 'new' }]);
    t.match(pool.stats(), { lent: 1, opening: 0, parked: 0, hits: 0, misses: 1 });
    t.notOk(connection.isWatched);
    pool.release(connection);
    await settle();
    t.match(pool.stats(), { lent: 0, parked: 0 });
    t.equal(backend.connects.length, 1);
  });

  await t.test('a refused connect is a value and costs exactly one attempt', async t => {
    const { backend, pool, results, done } = await setUp();
    pool.acquire(done);
    backend.only().fail('refused');
    await settle();
    t.strictSame(results, [{ ok: false, failure: 'refused' }]);
    t.match(pool.stats(), { lent: 0, opening: 0, misses: 1 });
    t.equal(backend.connects.length, 1);
  });

  await t.test('a connect that is answered at once is a result like any other', async t => {
    const { backend, pool, results, done } = await setUp();
    backend.onConnect = connect => (connect.connection.id === 0 ? connect.fail() : connect.succeed());
    pool.acquire(done);
    pool.acquire(done);
    await settle();
    t.match(results, [{ ok: false }, { ok: true }]);
    t.equal(backend.connects.length, 2);
  });

  await t.test('each of many acquires gets the result of its own connect', async t => {
    const { backend, pool } = await setUp();
    const results = new Map<number, Result>();
    for (const n of [0, 1, 2]) pool.acquire(result => results.set(n, result));
    const [first, second, third] = backend.connects;
    third!.fail('third');
    const connection = second!.succeed();
    await settle();
    t.strictSame([...results.keys()].sort(), [1, 2]);
    t.strictSame(results.get(2), { ok: false, failure: 'third' });
    t.match(results.get(1), { ok: true, connection: { id: connection.id } });
    first!.fail('first');
    await settle();
    t.strictSame(results.get(0), { ok: false, failure: 'first' });
  });

  await t.test('a cancelled acquire is never done and leaves no connection behind', async t => {
    const { backend, pool, results, done } = await setUp();
    const cancel = pool.acquire(done);
    cancel();
    cancel();
    await settle();
    t.strictSame(backend.opening, []);
    t.strictSame(results, []);
    t.match(pool.stats(), { lent: 0, opening: 0, parked: 0 });
  });

  await t.test('a cancel after the result changes nothing', async t => {
    const { backend, pool, results, done } = await setUp();
    const cancelConnected = pool.acquire(done);
    const connection = backend.only().succeed();
    const cancelRefused = pool.acquire(done);
    backend.only().fail();
    await settle();
    cancelConnected();
    cancelRefused();
    await settle();
    t.equal(results.length, 2);
    t.notOk(connection.isReset);
    t.equal(pool.stats().lent, 1);
  });

  await t.test('a release leaves the connection to the relay that closed it', async t => {
    const { backend, pool, done } = await setUp();
    pool.acquire(done);
    const connection = backend.only().succeed();
    await settle();
    pool.release(connection);
    await settle();
    t.notOk(connection.isReset, 'a reset would cut off what the kernel still has to send');
  });

  await t.test('a second release, and the release of a stranger, throw at once', async t => {
    const { backend, pool, done } = await setUp();
    const notLent = { message: /does not lend this connection/ };
    pool.acquire(done);
    const connection = backend.only().succeed();
    await settle();
    pool.release(connection);
    t.throws(() => pool.release(connection), notLent);
    t.throws(() => pool.release(new FakeConnection(99)), notLent);
    await settle();
    t.equal(pool.stats().lent, 0);
  });

  await t.test('an acquire may release and acquire again from within its result', async t => {
    const { backend, pool, results, done } = await setUp();
    pool.acquire(result => {
      if (result.ok) pool.release(result.connection);
      pool.acquire(done);
    });
    backend.only().succeed();
    await settle();
    t.equal(backend.connects.length, 2);
    backend.only().succeed();
    await settle();
    t.match(results, [{ ok: true }]);
    t.equal(pool.stats().lent, 1);
  });

  await t.test('a suspended pool and a resumed one still serve', async t => {
    const { backend, pool, results, done } = await setUp();
    pool.suspend();
    pool.suspend();
    pool.acquire(done);
    backend.only().succeed();
    await settle();
    t.match(results, [{ ok: true }]);
    t.equal(pool.stats().parked, 0);
    pool.resume();
    pool.resume();
    pool.close();
  });

  await t.test(
    'a connection released clean is parked and watched, or reset, and released only once',
    async t => {
      const { backend, pool, done } = await setUp();
      pool.acquire(done);
      const connection = backend.only().succeed();
      await settle();
      pool.release(connection, true);
      t.not(connection.isReset, connection.isWatched);
      t.match(pool.stats(), { lent: 0, parked: connection.isWatched ? 1 : 0 });
      t.throws(() => pool.release(connection, true), { message: /does not lend this connection/ });
      pool.close();
      t.ok(connection.isReset);
      t.equal(pool.stats().parked, 0);
    },
  );

  await t.test('a fresh acquire opens a connection, whatever was left clean', async t => {
    const { backend, pool, results, done } = await setUp();
    pool.acquire(done);
    const left = backend.only().succeed();
    await settle();
    pool.release(left, true);
    pool.acquire(done, { fresh: true });
    const fresh = backend.only().succeed();
    await settle();
    t.strictSame(results[1], { ok: true, connection: fresh, origin: 'new' });
    t.match(pool.stats(), { lent: 1, hits: 0, misses: 2, reused: 0 });
  });

  await t.test('a pool that is suspended or closed keeps nothing that was left clean', async t => {
    for (const stop of ['suspend', 'close'] as const) {
      const { backend, pool, done } = await setUp();
      pool.acquire(done);
      const connection = backend.only().succeed();
      await settle();
      pool[stop]();
      pool.release(connection, true);
      t.ok(connection.isReset);
      t.match(pool.stats(), { lent: 0, parked: 0 });
    }
  });

  await t.test('after close lent connections live on and pending acquires complete', async t => {
    const { backend, pool, results, done } = await setUp();
    pool.acquire(done);
    const lent = backend.only().succeed();
    await settle();
    pool.acquire(done);
    pool.close();
    pool.close();
    backend.only().succeed();
    await settle();
    t.equal(results.length, 2);
    t.notOk(lent.isReset);
    t.match(pool.stats(), { lent: 2, parked: 0 });
    pool.release(lent);
    pool.resume();
    await settle();
    t.match(pool.stats(), { lent: 1, parked: 0 });
    t.equal(backend.connects.length, 2);
  });
}
