/** The warm pool: the contract, in all its forms; lending spares, cancelling. */
import t from 'tap';
import { createWarmPool } from '../../pool/index.ts';
import { connectionPoolSuite } from '../contracts/connection-pool.ts';
import { settle } from './fake-backend.ts';
import { FakeClock } from '../harness/fake-clock.ts';
import { suspendedHarness, warmHarness } from './warm-harness.ts';

const forms = {
  'spares only': { warm: 2 },
  'spares and reuse, suspended': { warm: 2, reuse: true },
  'reuse only': { warm: 0, reuse: true },
};

for (const [form, options] of Object.entries(forms)) {
  await t.test(`contract: ${form}`, t =>
    connectionPoolSuite(t, connect => {
      const { now, setTimer } = new FakeClock(5_000);
      const pool = createWarmPool(
        { ...options, maxIdleMs: 5_000, maxWaiting: 10, acquireTimeoutMs: 5_000 },
        { connect, now, setTimer, random: () => 0, failures: { timeout: 'timeout', full: 'full' } },
      );
      if (options.warm > 0) pool.suspend();
      return pool;
    }),
  );
}

await t.test('lends a spare within the acquire, unwatched, and opens the next one', async t => {
  const { backend, pool, results, acquire, park } = warmHarness();
  const [spare] = await park(1);
  t.ok(spare!.isWatched);
  acquire();
  t.strictSame(results, [{ ok: true, connection: spare, origin: 'warm' }]);
  t.notOk(spare!.isWatched);
  t.match(pool.stats(), { lent: 1, parked: 0, hits: 1, misses: 0 });
  t.equal(backend.opening.length, 1);
});

await t.test('calls the session before it opens the next spare', async t => {
  const { backend, pool, park } = warmHarness();
  await park(1);
  pool.acquire(() => t.equal(backend.connects.length, 1));
  t.equal(backend.connects.length, 2);
});

await t.test('lends the youngest spare first, each to one session, and never parks it again', async t => {
  const { backend, pool, results, acquire, park } = warmHarness({ warm: 3 });
  const spares = await park(3);
  spares.forEach(acquire);
  t.strictSame(
    results.map(result => result.ok && result.connection.id),
    [2, 1, 0],
  );
  for (const spare of spares) pool.release(spare);
  await settle();
  t.match(pool.stats(), { lent: 0, parked: 0 });
  t.strictSame(
    spares.map(spare => spare.isReset || spare.isWatched),
    [false, false, false],
  );
  t.equal(backend.opening.length, 1);
});

await t.test('a spare that has a greeting stays parked and is lent', async t => {
  const { pool, results, acquire, park } = warmHarness();
  const [spare] = await park(1);
  spare!.readable();
  t.equal(pool.stats().parked, 1);
  acquire();
  t.match(results, [{ ok: true, connection: { id: spare!.id }, origin: 'warm' }]);
});

await t.test('a spare that dies, also after a greeting, is reset at once and never lent', async t => {
  const { backend, pool, results, clock, acquire, park } = warmHarness();
  const [spare] = await park(1);
  clock.advance(2_000);
  spare!.readable();
  spare!.die();
  t.ok(spare!.isReset);
  t.match(pool.stats(), { parked: 0, evicted: { dead: 1, late: 0, idle: 0, surplus: 0, drained: 0 } });
  acquire();
  await settle();
  t.strictSame(results, []);
  t.equal(backend.opening.length, 2, 'the refill, and the connect of the acquire');
});

await t.test('the death of a lent connection, told too late, is none of its business', async t => {
  const { pool, acquire, park } = warmHarness();
  const [spare] = await park(1);
  const lateNews = spare!.lateNews();
  acquire();
  lateNews();
  t.notOk(spare!.isReset);
  t.match(pool.stats(), { lent: 1, evicted: { dead: 0 } });
});

await t.test('a connection that is dead when it is parked is reset', async t => {
  const { backend, pool } = warmHarness();
  const connection = backend.only().succeed();
  connection.die();
  await settle();
  t.ok(connection.isReset);
  t.match(pool.stats(), { parked: 0, evicted: { dead: 1 } });
});

await t.test('an acquire gets the refill that completes before its own connect', async t => {
  const { backend, pool, results, acquire } = warmHarness();
  acquire();
  const [refill, own] = backend.connects;
  const connection = refill!.succeed();
  await settle();
  t.strictSame(results, [{ ok: true, connection, origin: 'new' }]);
  t.notOk(own!.isCancelled, 'its own connect is the refill now');
  const spare = own!.succeed();
  await settle();
  t.ok(spare.isWatched);
  t.match(pool.stats(), { lent: 1, parked: 1, hits: 0, misses: 1 });
  t.equal(backend.connects.length, 2);
});

await t.test('a failed refill leaves the acquire to its own connect', async t => {
  const { backend, results, acquire } = warmHarness();
  acquire();
  const [refill, own] = backend.connects;
  refill!.fail();
  await settle();
  t.strictSame(results, []);
  own!.fail('its own');
  await settle();
  t.strictSame(results, [{ ok: false, failure: 'its own' }]);
});

await t.test('the connect of a cancelled acquire becomes the refill if one is wanted', async t => {
  const { backend, pool, results, acquire, park } = warmHarness();
  const [spare] = await park(1);
  pool.suspend();
  t.ok(spare!.isReset);
  const cancel = acquire();
  pool.resume();
  const [own, refill] = backend.opening;
  refill!.fail();
  await settle();
  cancel();
  t.ok(own!.isCancelled, 'not during a back-off');

  const { backend: other, pool: second, acquire: acquireThere } = warmHarness({ limit: 1 });
  other.only().fail();
  await settle();
  second.suspend();
  const cancelThere = acquireThere();
  second.resume();
  t.equal(other.opening.length, 1, 'the limit leaves no room for a refill');
  cancelThere();
  const kept = other.only().succeed();
  await settle();
  t.ok(kept.isWatched);
  t.strictSame(results, []);
});

await t.test('a connection that was there, but not delivered, at its cancel is kept or reset', async t => {
  const { backend, pool, results, acquire } = warmHarness();
  const cancel = acquire();
  const [refill, own] = backend.connects;
  const connection = own!.succeed();
  cancel();
  t.ok(connection.isReset, 'a refill is under way');
  refill!.succeed();
  await settle();
  t.match(pool.stats(), { lent: 0, parked: 1 });
  t.strictSame(results, []);
});

await t.test('a connection that comes after its cancel is reset', async t => {
  const { backend, pool, acquire } = await suspendedHarness();
  const cancel = acquire();
  const connect = backend.only();
  cancel();
  t.ok(connect.succeed().isReset);
  await settle();
  t.ok(connect.succeed().isReset);
  await settle();
  t.match(pool.stats(), { lent: 0, parked: 0 });
});

await t.test('of two answers to one connect the first one counts, and no connection is lost', async t => {
  const { backend, pool, results, acquire } = await suspendedHarness();
  acquire();
  const connected = backend.only();
  const connection = connected.succeed();
  connected.fail();
  await settle();
  acquire();
  const refused = backend.only();
  refused.fail();
  t.ok(refused.succeed().isReset);
  await settle();
  t.strictSame(results, [
    { ok: true, connection, origin: 'new' },
    { ok: false, failure: 'refused' },
  ]);
  t.equal(pool.stats().lent, 1);
});
