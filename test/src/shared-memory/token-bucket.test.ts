import t from 'tap';
import { bucketRule, takeToken, type BucketRule } from '../../../src/shared-memory/token-bucket.ts';
import { fc } from '../../harness/properties.ts';

/** An uptime of days, with a part of a millisecond. */
const START_MS = 987_654_321.098_765;

function bucket(rule: BucketRule) {
  const cells = new Float64Array(2);
  return {
    rule,
    take(nowMs: number): boolean {
      return takeToken(cells, 1, this.rule, nowMs);
    },
  };
}

void t.test('a burst at once, then one each interval', async t => {
  const one = bucket({ intervalMs: 20, burst: 3 });
  const at = (ms: number): boolean => one.take(START_MS + ms);
  t.same([at(0), at(0), at(0), at(0)], [true, true, true, false]);
  t.same([at(19), at(20), at(20), at(39), at(40)], [false, true, false, false, true]);
  t.same([at(1_000), at(1_000), at(1_000), at(1_000)], [true, true, true, false], 'and it fills up again');
});

void t.test('a refusal costs nothing: the next token comes as early as without it', async t => {
  const one = bucket({ intervalMs: 100, burst: 1 });
  t.equal(one.take(START_MS), true);
  for (let ms = 1; ms < 100; ms++) t.equal(one.take(START_MS + ms), false);
  t.equal(one.take(START_MS + 100), true);
});

void t.test('with another rate, what is missing is at most the new burst', async t => {
  const slow = bucket({ intervalMs: 60_000, burst: 100 });
  for (let i = 0; i < 100; i++) slow.take(START_MS);
  slow.rule = { intervalMs: 10, burst: 5 };
  t.equal(slow.take(START_MS), false);
  t.equal(slow.take(START_MS + 11), true);
});

void t.test(
  'never more than the burst and what comes, and never less while clients wait for it',
  async () => {
    fc.assert(
      fc.property(
        fc.record({
          intervalMs: fc.double({ min: 0.01, max: 5_000, noNaN: true }),
          burst: fc.integer({ min: 1, max: 200 }),
        }),
        fc.array(fc.double({ min: 0, max: 5, noNaN: true }), { minLength: 1, maxLength: 300 }),
        (rule, pauses) => {
          const one = bucket(rule);
          const taken: number[] = [];
          let nowMs = START_MS;
          let left = rule.burst;
          for (const pause of pauses) {
            nowMs += pause * rule.intervalMs;
            left = Math.min(rule.burst, left + pause);
            const isTaken = one.take(nowMs);
            // Times are doubles: on the edge it may be either.
            if (isTaken !== left >= 1 && Math.abs(left - 1) > 0.01) return false;
            if (!isTaken) continue;
            left = Math.max(left - 1, 0);
            taken.push(nowMs);
            for (const [i, fromMs] of taken.entries()) {
              const most = rule.burst + (nowMs - fromMs) / rule.intervalMs + 0.01;
              if (taken.length - i > most) return false;
            }
          }
          return true;
        },
      ),
    );
  },
);

void t.test('by default a burst is as much as comes in one span of the rate', async t => {
  t.same(bucketRule({ count: 50, perMs: 1_000 }), { intervalMs: 20, burst: 50 });
  t.same(bucketRule({ count: 10, perMs: 60_000 }, 1), { intervalMs: 6_000, burst: 1 });
});
