/** How the warm pool keeps its spares: one refill at a time, back-off, age, suspend and close. */
import t from 'tap';
import { settle } from './fake-backend.ts';
import { warmHarness } from './warm-harness.ts';

await t.test('opens spares one at a time until as many as wanted are parked', async t => {
  const { backend, pool } = warmHarness({ warm: 3 });
  for (let parked = 0; parked < 3; parked++) {
    t.equal(pool.stats().parked, parked);
    backend.only().succeed();
    await settle();
  }
  t.equal(pool.stats().parked, 3);
  t.strictSame(backend.opening, []);
  t.match(pool.stats(), { lent: 0, hits: 0, misses: 0 });
});

await t.test('against a refusing backend the waits double up to the longest', async t => {
  const { backend, clock } = warmHarness({ warm: 2, backoff: { firstMs: 100, maxMs: 1_000 } });
  const waits: number[] = [];
  for (let n = 0; n < 6; n++) {
    backend.only().fail();
    await settle();
    t.strictSame(backend.opening, []);
    const [wait] = clock.delaysMs;
    waits.push(wait!);
    clock.advance(wait! - 1);
    t.strictSame(backend.opening, [], 'not a millisecond early');
    clock.advance(1);
  }
  t.strictSame(waits, [100, 200, 400, 800, 1_000, 1_000]);
  t.equal(backend.connects.length, 7);
});

await t.test('jitter takes away up to half of a wait', async t => {
  for (const [random, wait] of [
    [0, 100],
    [0.5, 75],
    [0.999, 50.05],
  ] as const) {
    const { backend, clock } = warmHarness({}, () => random);
    backend.only().fail();
    await settle();
    t.strictSame(clock.delaysMs, [wait]);
  }
});

await t.test('an acquire during the back-off connects once, and does not start a refill', async t => {
  const { backend, clock, results, acquire } = warmHarness();
  backend.only().fail();
  await settle();
  for (let n = 0; n < 5; n++) {
    acquire();
    backend.only().fail();
    await settle();
  }
  t.equal(results.length, 5);
  t.equal(backend.connects.length, 6);
  t.strictSame(clock.delaysMs, [100]);
});

await t.test('a spare that has been lent starts the back-off over', async t => {
  const { backend, clock, acquire, park } = warmHarness();
  for (const wait of [100, 200, 400]) {
    backend.only().fail();
    await settle();
    clock.advance(wait);
  }
  await park(1);
  acquire();
  backend.only().fail();
  await settle();
  t.strictSame(clock.delaysMs.slice(0, 1), [100]);
});

await t.test('a backend that closes every connection at once is not hammered', async t => {
  const { backend, clock, pool, park } = warmHarness({ backoff: { firstMs: 100, maxMs: 1_000 } });
  const waits: number[] = [];
  for (let n = 0; n < 6; n++) {
    const [spare] = await park(1);
    clock.advance(5);
    spare!.die();
    await settle();
    t.strictSame(backend.opening, []);
    const [wait] = clock.delaysMs;
    waits.push(wait!);
    clock.advance(wait!);
  }
  t.strictSame(waits, [100, 200, 400, 800, 1_000, 1_000]);
  t.equal(pool.stats().evicted.dead, 6);
});

await t.test('spares that die together count as one failure', async t => {
  const { backend, clock, park } = warmHarness({ warm: 3 });
  for (const spare of await park(3)) spare.die();
  t.strictSame(clock.delaysMs, [100, 5_000], 'one wait, beside the age timer');
  clock.advance(100);
  backend.only().fail();
  await settle();
  t.strictSame(clock.delaysMs, [200, 5_000]);
});

await t.test('a spare that dies later is replaced at once, and starts the back-off over', async t => {
  const { backend, clock, park } = warmHarness();
  for (const wait of [100, 200]) {
    backend.only().fail();
    await settle();
    clock.advance(wait);
  }
  for (let n = 0; n < 3; n++) {
    const [spare] = await park(1);
    clock.advance(1_000);
    spare!.die();
    t.equal(backend.opening.length, 1);
  }
  backend.only().fail();
  await settle();
  t.equal(clock.delaysMs[0], 100);
});

await t.test('a spare parked for maxIdleMs is reset and replaced, by one timer', async t => {
  const { backend, clock, pool } = warmHarness({ warm: 2, maxIdleMs: 5_000 });
  const first = backend.only().succeed();
  await settle();
  clock.advance(2_000);
  const second = backend.only().succeed();
  await settle();
  t.strictSame(clock.delaysMs, [5_000]);
  clock.advance(2_999);
  t.notOk(first.isReset);
  clock.advance(1);
  t.ok(first.isReset);
  t.notOk(second.isReset);
  t.equal(backend.opening.length, 1, 'its replacement');
  t.strictSame(clock.delaysMs, [2_000]);
  clock.advance(2_000);
  t.ok(second.isReset);
  t.strictSame(clock.delaysMs, [], 'nothing is parked');
  t.match(pool.stats(), { parked: 0, evicted: { dead: 0, idle: 2, drained: 0 } });
});

await t.test('the age timer that finds its spare lent waits for the next one', async t => {
  const { backend, clock, pool, acquire, park } = warmHarness({ maxIdleMs: 5_000 });
  await park(1);
  clock.advance(1_000);
  acquire();
  const next = backend.only().succeed();
  await settle();
  clock.advance(4_000);
  t.equal(pool.stats().parked, 1);
  t.strictSame(clock.delaysMs, [1_000]);
  clock.advance(1_000);
  t.ok(next.isReset);
});

await t.test('a spare too old is not lent, even if the timer is late', async t => {
  const { backend, clock, pool, results, acquire, park } = warmHarness({ maxIdleMs: 5_000 });
  const [spare] = await park(1);
  // The machine slept: the clock has moved, no timer has run.
  clock.sleep(60_000);
  acquire();
  t.ok(spare!.isReset);
  t.strictSame(results, []);
  t.equal(backend.opening.length, 2);
  t.match(pool.stats(), { hits: 0, misses: 1, evicted: { idle: 1 } });
});

await t.test('a suspended pool opens no spares; resume fills it again, without the old back-off', async t => {
  const { backend, clock, pool, park } = warmHarness({ warm: 2 });
  const spares = await park(2);
  pool.suspend();
  t.strictSame(
    spares.map(spare => spare.isReset),
    [true, true],
  );
  t.match(pool.stats(), { parked: 0, evicted: { dead: 0, idle: 0, drained: 2 } });
  clock.advance(60_000);
  await settle();
  t.equal(backend.connects.length, 2);
  t.strictSame(clock.delaysMs, []);

  pool.resume();
  backend.only().fail();
  await settle();
  clock.advance(100);
  backend.only().fail();
  await settle();
  pool.suspend();
  t.strictSame(clock.delaysMs, [], 'the back-off is over, too');
  pool.resume();
  backend.only().fail();
  await settle();
  t.strictSame(clock.delaysMs, [100]);
});

await t.test('spares of a resumed pool grow old like any other', async t => {
  const { clock, pool, park } = warmHarness({ maxIdleMs: 5_000 });
  await park(1);
  clock.advance(3_000);
  pool.suspend();
  pool.resume();
  const [spare] = await park(1);
  clock.advance(4_999);
  t.notOk(spare!.isReset);
  clock.advance(1);
  t.ok(spare!.isReset);
});

await t.test('suspend and close cancel the refill under way, or reset what it has brought', async t => {
  for (const stop of ['suspend', 'close'] as const) {
    const cancelled = warmHarness();
    cancelled.pool[stop]();
    t.strictSame(cancelled.backend.opening, []);
    const connected = warmHarness();
    const connection = connected.backend.only().succeed();
    connected.pool[stop]();
    await settle();
    t.ok(connection.isReset);
    t.match(connected.pool.stats(), { parked: 0 });
  }
});

await t.test('close destroys what is parked for good', async t => {
  const { backend, clock, pool, acquire, park } = warmHarness({ warm: 3 });
  const spares = await park(3);
  acquire();
  pool.close();
  pool.suspend();
  pool.resume();
  t.strictSame(
    spares.map(spare => spare.isReset),
    [true, true, false],
  );
  pool.release(spares[2]!);
  clock.advance(60_000);
  await settle();
  t.equal(backend.connects.length, 4, 'the fourth was the refill under way');
  t.strictSame(backend.opening, []);
  t.strictSame(clock.delaysMs, []);
  t.match(pool.stats(), { lent: 0, parked: 0, evicted: { drained: 2 } });
});
