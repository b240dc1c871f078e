import t from 'tap';
import { SessionLimit } from '../../../../src/data/listener/session-limit.ts';
import { LiveCounts } from '../../../../src/shared-memory/live-counts.ts';

/** One limit as `workers` workers see it, and what each of them was told. */
function create(max: number, workers = 1) {
  const counts = new LiveCounts(LiveCounts.allocate(1, workers));
  const slot = 0;
  const sides = Array.from({ length: workers }, (_, i) => {
    const calls: string[] = [];
    const limit = new SessionLimit(slot, new LiveCounts(counts.memory, i), {
      onFull: () => calls.push('full'),
      onFree: () => calls.push('free'),
      onPlaceFreed: () => calls.push('freed'),
    });
    limit.configure(max);
    return { limit, calls };
  });
  const [first] = sides;
  if (first === undefined) throw new RangeError('at least one worker');
  return { ...first, sides, counts, slot };
}

void t.test('the last place calls out, a place given back calls out again', async t => {
  const { limit, calls } = create(2);
  t.same([limit.enter(), limit.enter(), limit.enter()], [true, true, false]);
  t.same(calls, ['full']);
  t.equal(limit.open, 2, 'one too many leaves no trace');
  limit.leave();
  t.same(calls, ['full', 'free']);
  limit.leave();
  t.same([calls.length, limit.open], [2, 0]);
});

void t.test('no limit is never reached', async t => {
  const { limit, calls } = create(Infinity);
  for (let i = 0; i < 1_000; i++) limit.enter();
  for (let i = 0; i < 1_000; i++) limit.leave();
  t.same(calls, []);
});

void t.test('the only thread there is asks no other to look, also where more may come', async t => {
  const { limit, calls, counts } = create(1, 2);
  counts.threads = 1;
  for (let i = 0; i < 3; i++) {
    limit.enter();
    limit.leave();
  }
  t.same(calls, ['full', 'free', 'full', 'free', 'full', 'free']);
  counts.threads = 2;
  limit.enter();
  limit.leave();
  t.same(calls.slice(6), ['full', 'freed']);
});

void t.test('all workers together take no more than there are places', async t => {
  const { sides } = create(3, 2);
  const entered = Array.from({ length: 8 }, (_, i) => sides[i % 2]?.limit.enter());
  t.equal(entered.filter(Boolean).length, 3);
  t.same(
    sides.map(({ limit }) => limit.isFull),
    [true, true],
  );
});

void t.test(
  'a place freed here is told to those who wait elsewhere, and they take turns with us',
  async t => {
    const { sides } = create(1, 2);
    const [a, b] = sides;
    if (a === undefined || b === undefined) throw new RangeError('two workers');
    a.limit.enter();
    t.notOk(b.limit.enter());
    a.limit.leave();
    t.same(a.calls, ['full', 'freed'], 'the others are asked first');
    b.limit.recheck();
    t.same(b.calls, ['full', 'free']);
    t.ok(b.limit.enter());
    a.limit.recheck();
    t.ok(a.limit.isFull);
    b.limit.leave();
    t.same(b.calls, ['full', 'free', 'full', 'freed']);
    a.limit.recheck();
    t.ok(a.limit.enter());
    b.limit.recheck();
    a.limit.leave();
    t.same(a.calls.slice(-3), ['full', 'freed', 'free'], 'the second time we need not wait for anybody');
  },
);

void t.test('who asks for a place that was freed meanwhile is told at once', async t => {
  const { counts, slot } = create(1);
  counts.take(slot, 1);
  t.ok(counts.awaitPlace(slot, 1), 'there is none');
  t.ok(counts.release(slot), 'somebody waits');
  t.notOk(counts.awaitPlace(slot, 1), 'there is one');
});
