import t from 'tap';
import { WorkerStats } from '../../../src/host/worker-stats.ts';

/** A pool at a slot, with figures from `first` on. */
function poolAt(slot: number, first: number) {
  return { slot, figures: () => ({ parked: first, hits: first + 1, misses: first + 2 }) };
}

void t.test('what a worker writes, control reads through the same memory', async t => {
  const memory = WorkerStats.allocate(3);
  const worker = new WorkerStats(memory);
  const control = new WorkerStats(memory);
  worker.beat();
  worker.beat();
  worker.sessionsEver += 5;
  worker.sessionsAborted += 2;
  worker.sessionsLost = 1;
  worker.setPools([poolAt(0, 1), poolAt(2, 4)]);
  t.match(control, { beats: 2, sessionsEver: 5, sessionsAborted: 2, sessionsLost: 1 });
  control.eventsTaken += 7;
  t.equal(worker.eventsTaken, 7);
  t.same(control.pool(0), { parked: 1, hits: 2, misses: 3 });
  t.same(control.pool(1), { parked: 0, hits: 0, misses: 0 });
  t.same(control.pool(2), { parked: 4, hits: 5, misses: 6 });
});

void t.test('a pool that has gone leaves no figures for the next owner of its slot', async t => {
  const memory = WorkerStats.allocate(3);
  const worker = new WorkerStats(memory);
  worker.setPools([poolAt(0, 1), poolAt(2, 4)]);
  worker.setPools([poolAt(2, 4)]);
  t.same(worker.pool(0), { parked: 0, hits: 0, misses: 0 });
  t.same(worker.pool(2), { parked: 4, hits: 5, misses: 6 });
});

void t.test('the pools of a dead worker are gone, its sessions ever are not', async t => {
  const memory = WorkerStats.allocate(3);
  const worker = new WorkerStats(memory);
  worker.sessionsEver = 7;
  worker.setPools([poolAt(0, 1), poolAt(2, 4)]);
  new WorkerStats(memory).clearPools(3);
  for (const slot of [0, 1, 2]) t.same(worker.pool(slot), { parked: 0, hits: 0, misses: 0 });
  t.equal(worker.sessionsEver, 7);
});

void t.test(
  'one message is under way for all places that are freed before control begins with it',
  async t => {
    const memory = WorkerStats.allocate(1);
    const worker = new WorkerStats(memory);
    const control = new WorkerStats(memory);
    t.same([worker.tellPlaceFreed(), worker.tellPlaceFreed(), worker.tellPlaceFreed()], [true, false, false]);
    control.hearPlaceFreed();
    t.same([worker.tellPlaceFreed(), worker.tellPlaceFreed()], [true, false]);
    // The worker has died, and its message with it.
    control.hearPlaceFreed();
    t.ok(worker.tellPlaceFreed());
  },
);
