import t from 'tap';
import { LiveCounts } from '../../../src/shared-memory/live-counts.ts';

const SLOT = 3;

function countsFor(workers = 1): LiveCounts {
  return new LiveCounts(LiveCounts.allocate(8, workers));
}

void t.test('a limit is never passed, and a refused take leaves no trace', async t => {
  const counts = countsFor();
  t.same([counts.take(SLOT, 2), counts.take(SLOT, 2), counts.take(SLOT, 2)], [true, true, false]);
  t.equal(counts.live(SLOT), 2);
  counts.release(SLOT);
  t.ok(counts.take(SLOT, 2));
});

void t.test('without a limit every take counts', async t => {
  const counts = countsFor();
  const refused = Array.from({ length: 1_000 }, () => counts.take(0, undefined)).filter(taken => !taken);
  t.same(refused, []);
  t.equal(counts.live(0), 1_000);
});

void t.test('there may be fewer threads than rows, and every view knows when more come', async t => {
  const control = countsFor(4);
  const worker = new LiveCounts(control.memory, 1);
  t.equal(worker.threads, 4, 'all, unless control says otherwise');
  control.threads = 2;
  t.equal(worker.threads, 2);
});

void t.test('workers count in one total, and a dead worker’s sessions leave it', async t => {
  const control = countsFor(3);
  const [one, two] = [1, 2].map(worker => new LiveCounts(control.memory, worker));
  for (let i = 0; i < 5; i++) one?.take(SLOT, undefined);
  t.same([two?.take(SLOT, 6), two?.take(SLOT, 6)], [true, false], 'the limit is for all of them');
  t.same([control.liveOf(1, SLOT), control.liveOf(2, SLOT), control.live(SLOT)], [5, 1, 6]);
  control.forget(1, SLOT + 1);
  t.same([control.liveOf(1, SLOT), control.live(SLOT)], [0, 1]);
  two?.release(SLOT);
  t.equal(control.live(SLOT), 0);
});
