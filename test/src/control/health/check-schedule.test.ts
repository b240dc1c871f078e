import t from 'tap';
import { CheckSchedule } from '../../../../src/control/health/check-schedule.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

/** A schedule whose checks take `takesMs` (0: they end within the call; undefined: the test ends them). */
function create(options: { intervalMs?: number; takesMs?: number | undefined; jitter?: number } = {}) {
  const time = new FakeClock();
  const starts: { backend: string; at: number }[] = [];
  const open = new Map<string, () => void>();
  let running = 0;
  let most = 0;
  const intervalMs = options.intervalMs ?? 2_000;
  const schedule = new CheckSchedule(
    { intervalMs, jitter: options.jitter ?? 0 },
    {
      random: () => 0.5,
      setTimer: time.setTimer,
      begin: (backend, over) => {
        starts.push({ backend, at: time.nowMs });
        running += 1;
        most = Math.max(most, running);
        const end = (): void => {
          running -= 1;
          open.delete(backend);
          over(intervalMs);
        };
        if (options.takesMs === 0) {
          end();
          return () => undefined;
        }
        open.set(backend, end);
        const cancelTimer = options.takesMs === undefined ? undefined : time.setTimer(end, options.takesMs);
        return () => {
          running -= 1;
          open.delete(backend);
          cancelTimer?.();
        };
      },
    },
  );
  const add = (count: number): void => {
    for (let i = 0; i < count; i++) schedule.add(`b${i}`);
  };
  return { schedule, time, starts, open, add, most: () => most, running: () => running };
}

/** The most starts within any 10 ms. */
function densest(starts: readonly { at: number }[]): number {
  return Math.max(
    ...starts.map(({ at }) => starts.filter(each => each.at >= at && each.at < at + 10).length),
  );
}

void t.test('twenty backends are all checked at once', async t => {
  const { starts, add } = create();
  add(20);
  t.equal(starts.length, 20);
});

void t.test('the first checks of a thousand backends are spread over a second, in order', async t => {
  const { starts, add, time, most } = create({ takesMs: 5 });
  add(1_000);
  t.equal(starts.length, 20, 'the first ones at once');
  time.advance(1_000);
  t.equal(starts.length, 1_000);
  t.ok(densest(starts.slice(20)) <= 10, `at most ${densest(starts.slice(20))} begin within 10 ms`);
  t.ok((starts.at(-1)?.at ?? 0) > 900, `the last one at ${starts.at(-1)?.at} ms`);
  t.ok(most() <= 30, `at most ${most()} at a time`);
  t.same(
    starts.map(({ backend }) => backend),
    Array.from({ length: 1_000 }, (_, i) => `b${i}`),
  );
});

void t.test('a shorter interval is all the time there is for the first checks', async t => {
  const { starts, add, time } = create({ takesMs: 5, intervalMs: 200 });
  add(1_000);
  time.advance(200);
  t.equal(new Set(starts.map(({ backend }) => backend)).size, 1_000);
  t.ok(densest(starts.slice(20).filter(({ at }) => at < 200)) <= 50 + 20);
});

void t.test('rounds stay spread', async t => {
  const { starts, add, time } = create({ takesMs: 5, jitter: 5 });
  add(1_000);
  time.advance(10_000);
  t.ok(starts.length >= 4_900, `${starts.length} checks in 10 s`);
  t.ok(densest(starts) <= 30, `at most ${densest(starts)} begin within 10 ms`);
});

void t.test('never more than 256 checks at a time; the others come when there is room, in order', async t => {
  const { starts, open, add, time, most, running } = create();
  add(1_000);
  time.advance(10_000);
  t.equal(running(), 256, 'black holes keep them all');
  t.equal(starts.length, 256);
  for (const end of [...open.values()].slice(0, 3)) end();
  t.same(
    starts.slice(256).map(({ backend }) => backend),
    ['b256', 'b257', 'b258'],
  );
  t.equal(most(), 256);
});

void t.test('a thousand black holes are each checked in turn, with no more than 256 at a time', async t => {
  const { starts, add, time, most } = create({ takesMs: 2_000 });
  add(1_000);
  time.advance(12_000);
  t.equal(most(), 256);
  t.equal(new Set(starts.map(({ backend }) => backend)).size, 1_000);
  const late = create({ takesMs: 2_000 });
  late.add(1_000);
  late.time.advance(7_000);
  late.schedule.stop();
  t.equal(late.running(), 0, 'stopping cancels them');
  t.equal(late.time.pending, 0);
  const before = late.starts.length;
  late.time.advance(10_000);
  t.equal(late.starts.length, before);
});

void t.test('a backend that is removed while it waits is not checked', async t => {
  const { schedule, starts, open, add, time } = create();
  add(300);
  time.advance(1_000);
  schedule.remove('b256');
  schedule.remove('b0');
  t.same(starts.at(-1)?.backend, 'b257', 'and the room of a running one goes to the next');
  open.get('b1')?.();
  t.same(starts.at(-1)?.backend, 'b258');
  const fresh = create();
  fresh.add(40);
  fresh.schedule.remove('b30');
  fresh.time.advance(1_000);
  t.notOk(fresh.starts.some(({ backend }) => backend === 'b30'));
  t.equal(fresh.starts.length, 39);
});

void t.test('checks that end at once neither pile up nor go round in circles', async t => {
  const { starts, add, time, schedule } = create({ takesMs: 0 });
  add(1_000);
  time.advance(1_900);
  t.equal(starts.length, 1_000);
  schedule.add('b5');
  t.equal(starts.length, 1_000, 'adding twice is adding once');
});

void t.test('what is removed within its own check is not checked again', async t => {
  const time = new FakeClock();
  let begun = 0;
  let cancelled = 0;
  const schedule: CheckSchedule = new CheckSchedule(
    { intervalMs: 100, jitter: 0 },
    {
      random: () => 0.5,
      setTimer: time.setTimer,
      begin: backend => {
        begun += 1;
        schedule.remove(backend);
        return () => void (cancelled += 1);
      },
    },
  );
  schedule.add('a');
  time.advance(1_000);
  t.same([begun, cancelled], [1, 1]);
});

void t.test('after a stop backends can be added again, the first at once', async t => {
  const { schedule, starts, add, time } = create({ takesMs: 5 });
  add(100);
  schedule.stop();
  add(20);
  t.equal(starts.length, 40);
  t.equal(schedule.has('b3'), true);
  t.equal(schedule.has('b99'), false);
  time.advance(100);
  t.equal(starts.length, 40);
});
