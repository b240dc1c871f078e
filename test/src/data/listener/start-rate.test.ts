import t from 'tap';
import { enterAll } from '../../../../src/data/admission/gate.ts';
import { StartRate } from '../../../../src/data/listener/start-rate.ts';
import { StartRates } from '../../../../src/shared-memory/start-rates.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';

function setUp(workers = 1) {
  const clock = { ms: 1_000 };
  const memory = StartRates.allocate(1);
  const log: string[] = [];
  const all = Array.from({ length: workers }, (_, worker) => {
    const timers = new FakeTimers();
    const rates = new StartRates(memory, () => clock.ms);
    const rate = new StartRate({
      take: rule => rates.take(0, rule),
      setTimer: timers.setTimer,
      onFull: () => log.push(`${worker} waits`),
      onFree: () => log.push(`${worker} goes on`),
    });
    return { rate, timers };
  });
  return { clock, all, log };
}

void t.test('without a rate sessions begin at any', async t => {
  const { all, log } = setUp();
  const rate = all[0]!.rate;
  for (let i = 0; i < 1_000; i++) t.ok(enterAll([rate]));
  t.same([rate.isFull, log], [false, []]);
});

void t.test('beyond it the listener is held until there is a token', async t => {
  const { clock, all, log } = setUp();
  const { rate, timers } = all[0]!;
  rate.configure({ intervalMs: 50, burst: 2 });
  t.same([rate.enter(), rate.enter(), rate.enter()], [true, true, false]);
  t.same([rate.isFull, enterAll([rate]), log], [true, false, ['0 waits']]);
  t.equal(timers.pending, 1);
  clock.ms += 50;
  timers.fireNext();
  t.same([log, rate.isFull], [['0 waits', '0 goes on'], false]);
  t.same([rate.enter(), rate.enter()], [true, false]);
});

void t.test('workers share the tokens, and each that finds none waits by itself', async t => {
  const { clock, all, log } = setUp(2);
  for (const { rate } of all) rate.configure({ intervalMs: 50, burst: 1 });
  t.same(
    all.map(({ rate }) => rate.enter()),
    [true, false],
  );
  clock.ms += 50;
  t.equal(all[0]?.rate.enter(), true);
  all[1]?.timers.fireNext();
  t.equal(all[1]?.rate.enter(), false, 'the other was faster');
  t.same(log, ['1 waits', '1 goes on', '1 waits']);
});

void t.test('another rate, or none, frees those that wait', async t => {
  const { all, log } = setUp();
  const { rate, timers } = all[0]!;
  rate.configure({ intervalMs: 3_600_000, burst: 1 });
  t.same([rate.enter(), rate.enter()], [true, false]);
  rate.configure(undefined);
  t.same([log, timers.pending, rate.enter()], [['0 waits', '0 goes on'], 0, true]);
});

void t.test('a session that is ended at once takes a token, and gives none back', async t => {
  const { all } = setUp();
  const { rate } = all[0]!;
  rate.enterAnyway();
  rate.configure({ intervalMs: 1_000, burst: 1 });
  rate.enterAnyway();
  rate.leave();
  t.equal(rate.enter(), false);
});
