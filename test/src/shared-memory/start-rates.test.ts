import t from 'tap';
import { StartRates } from '../../../src/shared-memory/start-rates.ts';

function setUp() {
  const clock = { ms: 500_000_000.25 };
  const memory = StartRates.allocate(4);
  const [one, other] = [0, 1].map(() => new StartRates(memory, () => clock.ms));
  if (one === undefined || other === undefined) throw new Error('two');
  return { clock, one, other };
}

void t.test('a burst, then one each interval, over all threads that have the memory', async t => {
  const { clock, one, other } = setUp();
  const rule = { intervalMs: 20, burst: 3 };
  t.same([one.take(1, rule), other.take(1, rule), one.take(1, rule)], [0, 0, 0]);
  t.equal(other.take(1, rule), 20, 'and how long it takes');
  clock.ms += 15;
  t.equal(one.take(1, rule), 5);
  clock.ms += 5;
  t.same([one.take(1, rule), one.take(1, rule)], [0, 20]);
  t.equal(one.take(2, rule), 0, 'other slots are not concerned');
  clock.ms += 10_000;
  t.same(
    [1, 2, 3, 4].map(() => one.take(1, rule) === 0),
    [true, true, true, false],
  );
});

void t.test('another rate holds at once, and a new owner begins with all tokens', async t => {
  const { clock, one } = setUp();
  const slow = { intervalMs: 60_000, burst: 100 };
  for (let i = 0; i < 100; i++) one.take(0, slow);
  const quick = { intervalMs: 10, burst: 2 };
  t.equal(one.take(0, quick), 10);
  clock.ms += 10;
  t.equal(one.take(0, quick), 0);
  one.clear(0);
  t.same([one.take(0, quick), one.take(0, quick), one.take(0, quick)], [0, 0, 10]);
});

void t.test('at a million a second as well', async t => {
  const { clock, one } = setUp();
  const rule = { intervalMs: 1e-3, burst: 10_000 };
  let taken = 0;
  for (let ms = 0; ms < 5; ms++) {
    clock.ms += 1;
    while (one.take(0, rule) === 0) taken += 1;
  }
  t.equal(taken, 10_000 + 4_000);
});
