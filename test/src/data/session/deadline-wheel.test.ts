import t from 'tap';
import { DeadlineWheel, type Timed } from '../../../../src/data/session/deadline-wheel.ts';

/** A wheel whose time only moves when the test says so. */
function createWheel() {
  let nowMs = 1_000_000;
  const wheel = new DeadlineWheel(() => nowMs);
  return {
    wheel,
    at: () => nowMs,
    move: (ms: number): void => {
      nowMs += ms;
      wheel.advance();
    },
  };
}

function entry(
  check: (nowMs: number) => number | undefined = () => undefined,
): Timed & { checkedAt: number[] } {
  const checkedAt: number[] = [];
  return {
    wheelSlot: -1,
    wheelIndex: 0,
    checkedAt,
    checkDeadline(nowMs) {
      checkedAt.push(nowMs);
      return check(nowMs);
    },
  };
}

void t.test('an entry is checked at its due time, not before and at most one tick late', async t => {
  const { wheel, at, move } = createWheel();
  const one = entry();
  const dueMs = at() + 1_250;
  wheel.add(one, dueMs);
  for (let i = 0; i < 12; i++) move(100);
  t.same(one.checkedAt, [], 'not before it is due');
  move(100);
  t.equal(one.checkedAt.length, 1);
  t.ok((one.checkedAt[0] ?? 0) - dueMs <= 100, 'at most a tick late');
  t.equal(wheel.size, 0, 'and it is forgotten when it wants no more');
});

void t.test('an entry that names a next due time is checked again then', async t => {
  const { wheel, at, move } = createWheel();
  const startMs = at();
  const one: ReturnType<typeof entry> = entry(nowMs => (nowMs < startMs + 1_000 ? nowMs + 500 : undefined));
  wheel.add(one, startMs + 500);
  for (let i = 0; i < 20; i++) move(100);
  t.same(one.checkedAt, [startMs + 500, startMs + 1_000]);
});

void t.test('a due time beyond one revolution is kept', async t => {
  const { wheel, at, move } = createWheel();
  const dueMs = at() + 600_000;
  const one: ReturnType<typeof entry> = entry(nowMs => (nowMs < dueMs ? dueMs : undefined));
  wheel.add(one, dueMs);
  for (let i = 0; i < 5_999; i++) move(100);
  t.equal(wheel.size, 1, 'still there just before');
  move(100);
  t.equal(wheel.size, 0);
  t.equal(one.checkedAt.at(-1), dueMs);
  t.ok(one.checkedAt.length <= 13, 'looked at no more than once per revolution');
});

void t.test('a removed entry is never checked, also when an entry of the same slot removes it', async t => {
  const { wheel, at, move } = createWheel();
  const victim = entry();
  const killer = entry(() => {
    wheel.remove(victim);
    return undefined;
  });
  const gone = entry();
  wheel.add(killer, at() + 300);
  wheel.add(victim, at() + 300);
  wheel.add(gone, at() + 300);
  wheel.remove(gone);
  move(300);
  t.equal(killer.checkedAt.length, 1);
  t.same([victim.checkedAt, gone.checkedAt], [[], []]);
  t.equal(wheel.size, 0);
});

void t.test('adding again moves an entry', async t => {
  const { wheel, at, move } = createWheel();
  const one = entry();
  wheel.add(one, at() + 200);
  wheel.add(one, at() + 800);
  t.equal(wheel.size, 1);
  move(500);
  t.same(one.checkedAt, []);
  move(300);
  t.equal(one.checkedAt.length, 1);
});

void t.test('after a stall of many revolutions everything due is checked once', async t => {
  const { wheel, at, move } = createWheel();
  const all = Array.from({ length: 600 }, (_, i) => {
    const one = entry();
    wheel.add(one, at() + 100 * (i % 500));
    return one;
  });
  move(3_600_000);
  t.ok(
    all.every(one => one.checkedAt.length === 1),
    'each exactly once',
  );
  t.equal(wheel.size, 0);
});

void t.test('a due time in the past is checked at the next tick', async t => {
  const { wheel, at, move } = createWheel();
  const one = entry();
  wheel.add(one, at() - 5_000);
  t.same(one.checkedAt, [], 'never at once: the caller is not finished');
  move(100);
  t.equal(one.checkedAt.length, 1);
});

void t.test('the coarse clock does not stand still while the wheel is empty', async t => {
  const { wheel, at, move } = createWheel();
  const one = entry();
  wheel.add(one, at() + 200);
  wheel.remove(one);
  move(600_000);
  t.equal(wheel.nowMs, at());
});

void t.test('an empty wheel holds no timer', async t => {
  const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length;
  const before = timers();
  const { wheel, at } = createWheel();
  const one = entry();
  wheel.add(one, at() + 1_000);
  wheel.remove(one);
  wheel.remove(one);
  t.equal(timers(), before);
});
