/** What a pool with `reuse` does with connections that their sessions have left clean. */
import t from 'tap';
import { type FakeConnection, settle } from './fake-backend.ts';
import { type WarmHarness, warmHarness } from './warm-harness.ts';

/** A pool without spares that has lent `count` connections. */
async function lendingHarness(count: number, options: Parameters<typeof warmHarness>[0] = {}) {
  const harness = warmHarness({ warm: 0, reuse: true, ...options });
  const lent: FakeConnection[] = [];
  for (let n = 0; n < count; n++) lent.push(await lend(harness));
  return { ...harness, lent };
}

async function lend({ backend, acquire }: WarmHarness): Promise<FakeConnection> {
  acquire();
  const connection = backend.only().succeed();
  await settle();
  return connection;
}

await t.test('opens nothing by itself, and lends what was left clean within the acquire', async t => {
  const { backend, pool, results, acquire, lent } = await lendingHarness(1);
  const [connection] = lent;
  t.equal(backend.connects.length, 1);
  pool.release(connection!, true);
  t.ok(connection!.isWatched);
  t.match(pool.stats(), { lent: 0, parked: 1 });
  acquire();
  t.strictSame(results[1], { ok: true, connection, origin: 'reused' });
  t.notOk(connection!.isWatched);
  t.match(pool.stats(), { lent: 1, parked: 0, hits: 1, misses: 1, reused: 1 });
  t.equal(backend.connects.length, 1);
});

await t.test('lends it as often as it is left clean, and never after it was used up', async t => {
  const { backend, pool, results, acquire, lent } = await lendingHarness(1);
  for (let n = 0; n < 3; n++) {
    pool.release(lent[0]!, true);
    acquire();
  }
  t.match(pool.stats(), { hits: 3, reused: 3 });
  pool.release(lent[0]!);
  acquire();
  backend.only().succeed();
  await settle();
  t.match(results.at(-1), { ok: true, origin: 'new' });
  t.notOk(lent[0]!.isReset, 'its relay has closed it');
});

await t.test('a late byte destroys it, and no later session sees it', async t => {
  const { backend, pool, results, acquire, lent } = await lendingHarness(1);
  pool.release(lent[0]!, true);
  lent[0]!.readable();
  t.ok(lent[0]!.isReset);
  t.match(pool.stats(), { parked: 0, evicted: { late: 1, dead: 0 } });
  acquire();
  const next = backend.only().succeed();
  await settle();
  t.strictSame(results[1], { ok: true, connection: next, origin: 'new' });
});

await t.test('its death destroys it, without a back-off', async t => {
  const { clock, pool, lent } = await lendingHarness(1, { warm: 0 });
  pool.release(lent[0]!, true);
  lent[0]!.die();
  t.ok(lent[0]!.isReset);
  t.match(pool.stats(), { parked: 0, evicted: { late: 0, dead: 1 } });
  t.notOk(clock.delaysMs.includes(100));
});

await t.test('the youngest is lent first, and one that was parked too long is reset', async t => {
  const { clock, pool, results, acquire, lent } = await lendingHarness(3, { maxIdleMs: 5_000 });
  const [first, second, third] = lent;
  pool.release(second!, true);
  clock.advance(2_000);
  pool.release(first!, true);
  pool.release(third!, true);
  acquire();
  t.match(results[3], { ok: true, connection: { id: third!.id } });
  clock.advance(3_000);
  t.ok(second!.isReset);
  t.match(pool.stats(), { parked: 1, evicted: { idle: 1 } });
  clock.advance(2_000);
  t.ok(first!.isReset);
  t.notOk(third!.isReset);
});

await t.test('what was parked before counts its idle time anew', async t => {
  const { clock, pool, acquire, lent } = await lendingHarness(1, { maxIdleMs: 5_000 });
  pool.release(lent[0]!, true);
  clock.advance(4_000);
  acquire();
  pool.release(lent[0]!, true);
  clock.advance(4_000);
  t.notOk(lent[0]!.isReset);
  clock.advance(1_000);
  t.ok(lent[0]!.isReset);
});

await t.test('no more than `maxReused` are parked; the oldest makes room', async t => {
  const { pool, lent } = await lendingHarness(3, { maxReused: 2 });
  for (const connection of lent) pool.release(connection, true);
  t.strictSame(
    lent.map(connection => connection.isReset),
    [true, false, false],
  );
  t.match(pool.stats(), { parked: 2, evicted: { surplus: 1 } });
});

await t.test('by default 128 are parked', async t => {
  const { pool, lent } = await lendingHarness(130);
  for (const connection of lent) pool.release(connection, true);
  t.match(pool.stats(), { lent: 0, parked: 128, evicted: { surplus: 2 } });
});

await t.test('suspend and close destroy what is parked; a resumed pool parks again', async t => {
  const { pool, lent } = await lendingHarness(3);
  const [first, second, third] = lent;
  pool.release(first!, true);
  pool.suspend();
  t.ok(first!.isReset);
  pool.resume();
  pool.release(second!, true);
  t.ok(second!.isWatched);
  pool.close();
  t.ok(second!.isReset);
  t.match(pool.stats(), { parked: 0, evicted: { drained: 2 } });
  pool.resume();
  pool.release(third!, true);
  t.ok(third!.isReset);
});

await t.test('an acquire that waits for a place gets the connection that is left clean', async t => {
  const { backend, pool, results, acquire, lent } = await lendingHarness(1, { limit: 1 });
  acquire();
  await settle();
  t.strictSame(backend.opening, []);
  pool.release(lent[0]!, true);
  t.strictSame(results[1], { ok: true, connection: lent[0], origin: 'reused' });
  t.match(pool.stats(), { lent: 1, parked: 0, misses: 2, reused: 1 });
  pool.release(lent[0]!);
  await settle();
  acquire();
  t.ok(backend.only().isOpening, 'and the place is not lost');
});

await t.test('an acquire whose connect is under way is left to it', async t => {
  const { backend, pool, results, acquire, lent } = await lendingHarness(1);
  acquire();
  pool.release(lent[0]!, true);
  t.ok(lent[0]!.isWatched);
  const own = backend.only().succeed();
  await settle();
  t.strictSame(results[1], { ok: true, connection: own, origin: 'new' });
});

await t.test('at the limit, what is parked gives way to a fresh acquire', async t => {
  const { backend, pool, results, lent } = await lendingHarness(2, { limit: 2 });
  for (const connection of lent) pool.release(connection, true);
  pool.acquire(result => results.push(result), { fresh: true });
  const fresh = backend.only().succeed();
  await settle();
  t.match(results[2], { ok: true, connection: { id: fresh.id }, origin: 'new' });
  t.strictSame(
    lent.map(connection => connection.isReset),
    [true, false],
  );
  t.match(pool.stats(), { lent: 1, parked: 1, evicted: { surplus: 1 } });
});

await t.test('a spare gives way to a fresh acquire, too', async t => {
  const { backend, pool, results, park } = warmHarness({ warm: 1, limit: 1 });
  const [spare] = await park(1);
  pool.acquire(result => results.push(result), { fresh: true });
  t.ok(spare!.isReset);
  const fresh = backend.only().succeed();
  await settle();
  t.match(results, [{ ok: true, connection: { id: fresh.id }, origin: 'new' }]);
});

await t.test('a fresh acquire that waits for a place gets the place, not what is left clean', async t => {
  const { backend, pool, results, lent } = await lendingHarness(1, { limit: 1 });
  pool.acquire(result => results.push(result), { fresh: true });
  pool.release(lent[0]!, true);
  t.ok(lent[0]!.isReset);
  const fresh = backend.only().succeed();
  await settle();
  t.match(results[1], { ok: true, connection: { id: fresh.id }, origin: 'new' });
});

await t.test('what was left clean is lent before a spare, and spares are for what goes beyond', async t => {
  const { backend, pool, results, acquire, park } = warmHarness({ warm: 1, reuse: true });
  const [first] = await park(1);
  acquire();
  const [second] = await park(1);
  pool.release(first!, true);
  t.match(pool.stats(), { parked: 2 });
  acquire();
  acquire();
  t.match(results, [
    { connection: { id: first!.id }, origin: 'warm' },
    { connection: { id: first!.id }, origin: 'reused' },
    { connection: { id: second!.id }, origin: 'warm' },
  ]);
  t.equal(backend.opening.length, 1, 'nothing is parked any more: a refill');
});

await t.test(
  'no spare is opened while one is parked that was left clean, and one is when it goes',
  async t => {
    const { backend, clock, pool, acquire, park } = warmHarness({ warm: 1, reuse: true });
    const [first] = await park(1);
    acquire();
    backend.only().fail();
    await settle();
    pool.release(first!, true);
    clock.advance(100);
    t.notOk(clock.delaysMs.includes(100), 'the back-off is over');
    t.strictSame(backend.opening, []);
    first!.readable();
    t.equal(backend.opening.length, 1);
  },
);
