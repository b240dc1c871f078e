import t from 'tap';
import { RetryBudget } from '../../../../src/data/dispatch/retry-budget.ts';
import { fc } from '../../../harness/properties.ts';

void t.test('a new budget allows ten seconds of its minimum at once, and no more', async t => {
  const budget = new RetryBudget({ percent: 20, minPerSecond: 10 });
  let allowed = 0;
  while (budget.allows(0)) {
    t.equal(budget.left(0), 100 - allowed);
    t.ok(budget.further(0));
    allowed += 1;
  }
  t.equal(budget.left(0), 0);
  t.equal(allowed, 100);
  t.notOk(budget.further(0), 'nor when it is not asked before');
  t.ok(budget.further(10_000), 'and what was not allowed is not counted');
});

void t.test('every hundred first attempts allow `percent` further ones', async t => {
  const budget = new RetryBudget({ percent: 20, minPerSecond: 0 });
  t.notOk(budget.allows(0), 'nothing without traffic');
  for (let i = 0; i < 100; i++) budget.first(500);
  let allowed = 0;
  while (budget.allows(900)) {
    budget.further(900);
    allowed += 1;
  }
  t.equal(allowed, 20);
});

void t.test('what was used is there again ten seconds later, and what was earned is gone', async t => {
  const budget = new RetryBudget({ percent: 100, minPerSecond: 0 });
  budget.first(0);
  budget.further(0);
  t.notOk(budget.allows(0));
  budget.first(5_000);
  t.ok(budget.allows(9_999));
  budget.further(9_999);
  t.notOk(budget.allows(9_999));
  t.notOk(budget.allows(12_000), 'the attempt at 9.999 s is still in the window, as is the first one at 5 s');
  t.notOk(budget.allows(30_000), 'and everything is forgotten in the end');
});

void t.test('in no ten whole seconds are there more further attempts than the rule allows', async () => {
  const step = fc.record({ waitMs: fc.nat(3_000), first: fc.nat(20), wanted: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(200), fc.nat(3), (steps, percent, minPerSecond) => {
      const budget = new RetryBudget({ percent, minPerSecond });
      const firsts: number[] = [];
      const furthers: number[] = [];
      let nowMs = 0;
      for (const { waitMs, first, wanted } of steps) {
        nowMs += waitMs;
        for (let i = 0; i < first; i++) {
          budget.first(nowMs);
          firsts.push(nowMs);
        }
        for (let i = 0; i < wanted && budget.allows(nowMs); i++) {
          budget.further(nowMs);
          furthers.push(nowMs);
        }
        const from = (Math.floor(nowMs / 1000) - 9) * 1000;
        const inWindow = (times: number[]): number => times.filter(time => time >= from).length;
        const limit = (percent / 100) * inWindow(firsts) + 10 * minPerSecond;
        // First attempts that left the window may have paid for further ones that are still in it.
        if (inWindow(furthers) > limit && wanted > 0 && furthers.at(-1) === nowMs) {
          throw new Error(`${inWindow(furthers)} further attempts at ${nowMs}, ${limit} allowed`);
        }
      }
    }),
  );
});
