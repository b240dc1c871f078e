/** A warm pool takes over other options while it is in use. */
import t from 'tap';
import { settle } from './fake-backend.ts';
import { suspendedHarness, warmHarness } from './warm-harness.ts';

await t.test('fewer spares wanted: the oldest are given up, and no more is opened', async t => {
  const { backend, pool, park } = warmHarness({ warm: 3 });
  const [oldest, second, youngest] = await park(3);
  pool.adjust({ warm: 1 });
  await settle();
  t.same([oldest?.isReset, second?.isReset, youngest?.isReset], [true, true, false]);
  t.match(pool.stats(), { parked: 1, evicted: { surplus: 2 } });
  t.strictSame(backend.opening, []);
});

await t.test('fewer spares wanted: the one that is being opened is given up', async t => {
  const { backend, pool, park } = warmHarness({ warm: 2 });
  await park(1);
  const refill = backend.only();
  pool.adjust({ warm: 1 });
  await settle();
  t.ok(refill.isCancelled);
  t.match(pool.stats(), { parked: 1, evicted: { surplus: 0 } });
});

await t.test('more spares wanted: they are opened', async t => {
  const { pool, park } = warmHarness({ warm: 1 });
  await park(1);
  pool.adjust({ warm: 3 });
  await park(3);
  t.match(pool.stats(), { parked: 3 });
});

await t.test('without reuse, connections left clean are given up', async t => {
  const { backend, pool, acquire } = warmHarness({ warm: 0, reuse: true });
  acquire();
  const connection = backend.only().succeed();
  await settle();
  pool.release(connection, true);
  pool.adjust({ reuse: false, warm: 1 });
  await settle();
  t.ok(connection.isReset);
  t.match(pool.stats(), { parked: 0, evicted: { surplus: 1 } });
});

await t.test('a shorter idle time holds for what is parked already', async t => {
  const { clock, pool, park } = warmHarness({ warm: 2, maxIdleMs: 5_000 });
  const [first] = await park(1);
  clock.advance(1_000);
  const [second] = await park(2);
  pool.adjust({ maxIdleMs: 500 });
  await settle();
  t.same([first?.isReset, second?.isReset], [true, false]);
  clock.advance(500);
  await settle();
  t.equal(second?.isReset, true);
  t.match(pool.stats(), { evicted: { idle: 2 } });
});

await t.test('a lower limit closes what is parked, cuts nothing that is lent, and opens nothing', async t => {
  const { backend, pool, results, acquire, park } = warmHarness({ warm: 2, limit: 4 });
  await park(2);
  acquire();
  acquire();
  const [third] = await park(1);
  const refill = backend.only();
  pool.adjust({ limit: 1 });
  await settle();
  t.same([third?.isReset, refill.isCancelled], [true, true]);
  t.match(pool.stats(), { lent: 2, parked: 0 });
  for (const result of results) if (result.ok) t.equal(result.connection.isReset, false);
  const [one] = results;
  if (one?.ok === true) pool.release(one.connection);
  await settle();
  t.strictSame(backend.opening, [], 'the other one takes the only place');
});

await t.test('a higher limit, or none, lets acquires that wait have their places at once', async t => {
  const { backend, pool, results, acquire } = await suspendedHarness({ limit: 1 });
  for (let n = 0; n < 4; n++) acquire();
  t.equal(backend.opening.length, 1);
  pool.adjust({ limit: 2 });
  t.equal(backend.opening.length, 2);
  pool.adjust({ limit: undefined });
  t.equal(backend.opening.length, 4);
  for (const connect of backend.opening) connect.succeed();
  await settle();
  t.equal(results.length, 4);
});

await t.test('an option out of range is refused, and nothing changes', async t => {
  const { pool, park } = warmHarness({ warm: 2 });
  await park(2);
  t.throws(() => pool.adjust({ warm: 1, maxIdleMs: -1 }), RangeError);
  await settle();
  t.match(pool.stats(), { parked: 2 });
});
