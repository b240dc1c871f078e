/** The warm pool at its limit: waiting for a place, refusing, timing out. */
import { Pool } from 'generic-pool';
import t from 'tap';
import { settle } from './fake-backend.ts';
import { suspendedHarness, warmHarness } from './warm-harness.ts';

await t.test(
  'lent, parked and opening connections stay within the limit; acquires wait in order',
  async t => {
    const { backend, pool, results, acquire } = await suspendedHarness({ limit: 2 });
    for (let n = 0; n < 4; n++) acquire();
    t.equal(backend.opening.length, 2);
    const [first] = backend.opening.map(connect => connect.succeed());
    await settle();
    t.equal(results.length, 2);
    t.equal(backend.opening.length, 0);
    pool.release(first!);
    t.equal(backend.opening.length, 1, 'a place is passed on in the turn of the release');
    backend.only().fail('third');
    await settle();
    t.strictSame(results[2], { ok: false, failure: 'third' });
    backend.only().fail('fourth');
    await settle();
    t.strictSame(results[3], { ok: false, failure: 'fourth' });
  },
);

await t.test('no spare is opened while an acquire waits for a place', async t => {
  const { backend, pool, results, acquire } = warmHarness({ limit: 2, warm: 2 });
  const spares = [backend.only().succeed()];
  await settle();
  spares.push(backend.only().succeed());
  await settle();
  for (let n = 0; n < 3; n++) acquire();
  t.equal(results.length, 2);
  pool.release(spares[0]!);
  const connection = backend.only().succeed();
  await settle();
  t.match(results[2], { ok: true, connection: { id: connection.id }, origin: 'new' });
  t.match(pool.stats(), { lent: 2, parked: 0 });
});

await t.test('an acquire beyond the waiting line fails at once, and is counted as a miss', async t => {
  const { backend, pool, results, acquire } = await suspendedHarness({ limit: 1, maxWaiting: 1 });
  acquire();
  acquire();
  acquire();
  t.strictSame(results, [{ ok: false, failure: 'full' }]);
  t.equal(pool.stats().misses, 3);
  t.equal(backend.opening.length, 1);
});

await t.test('a refill at the limit is no reason to refuse: the acquire gets it', async t => {
  const { backend, results, acquire } = warmHarness({ limit: 1, maxWaiting: 0 });
  acquire();
  acquire();
  t.strictSame(results, [{ ok: false, failure: 'full' }]);
  const connection = backend.only().succeed();
  await settle();
  t.strictSame(results[1], { ok: true, connection, origin: 'new' });
});

await t.test('an acquire that has waited too long fails, whether for a place or for its connect', async t => {
  const { backend, clock, results, acquire } = await suspendedHarness({ limit: 1, acquireTimeoutMs: 3_000 });
  acquire();
  clock.advance(1_000);
  acquire();
  const stuck = backend.only();
  clock.advance(2_000);
  t.strictSame(results, [{ ok: false, failure: 'timeout' }]);
  t.ok(stuck.isCancelled);
  await settle();
  t.equal(backend.opening.length, 1, 'the second one has its place');
  clock.advance(1_000);
  t.equal(results.length, 2);
  await settle();
  t.strictSame(backend.opening, []);
  t.strictSame(clock.delaysMs, []);
});

await t.test('cancelled waiters do not pile up in the queue', async t => {
  const { backend, pool, results, acquire } = await suspendedHarness({ limit: 1, maxWaiting: 1 });
  const requests = t.capture(Pool.prototype, 'acquire', Reflect.get(Pool.prototype, 'acquire'));
  acquire();
  const lent = backend.only().succeed();
  await settle();
  for (let n = 0; n < 100; n++) acquire()();
  t.equal(results.length, 1, 'none was refused');
  t.equal(requests().length, 2, 'one for the connection lent, one for all that came and left');
  acquire();
  pool.release(lent);
  await settle();
  backend.only().succeed();
  t.strictSame(backend.opening, [], 'nobody connects for those who left');
  await settle();
  t.equal(results.length, 2);
});

await t.test('a place that nobody waits for any more becomes free', async t => {
  const { backend, pool, acquire } = await suspendedHarness({ limit: 1 });
  acquire();
  const lent = backend.only().succeed();
  await settle();
  acquire()();
  pool.release(lent);
  await settle();
  t.strictSame(backend.opening, []);
  acquire();
  t.equal(backend.opening.length, 1);
});

await t.test('the place of a released connection is used for the spare that was missing', async t => {
  const { backend, pool, results, acquire, park } = warmHarness({ limit: 1 });
  const [spare] = await park(1);
  acquire();
  t.equal(results.length, 1);
  t.strictSame(backend.opening, []);
  pool.release(spare!);
  t.equal(backend.opening.length, 1);
});
