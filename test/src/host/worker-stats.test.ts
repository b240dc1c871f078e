import t from 'tap';
import { NO_FIGURES, type SlotFigures } from '../../../src/model/pool-figures.ts';
import { WorkerStats } from '../../../src/host/worker-stats.ts';

/** Figures from `first` on. */
function figuresFrom(first: number): SlotFigures {
  return {
    parked: first,
    hits: first + 1,
    misses: first + 2,
    connections: first + 3,
    retriesLeft: first + 4,
  };
}

function slotAt(slot: number, first: number) {
  return { slot, figures: () => figuresFrom(first) };
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
  worker.setFigures([slotAt(0, 1), slotAt(2, 4)]);
  t.match(control, { beats: 2, sessionsEver: 5, sessionsAborted: 2, sessionsLost: 1 });
  control.eventsTaken += 7;
  t.equal(worker.eventsTaken, 7);
  t.same(WorkerStats.figuresOf([control])(0), figuresFrom(1));
  t.same(WorkerStats.figuresOf([control])(1), NO_FIGURES);
  t.same(WorkerStats.figuresOf([control])(2), figuresFrom(4));
});

void t.test('the figures of all workers add up', async t => {
  const workers = [0, 1, 2].map(() => new WorkerStats(WorkerStats.allocate(2)));
  for (const [i, worker] of workers.entries()) worker.setFigures([slotAt(1, 10 ** i)]);
  t.same(WorkerStats.figuresOf(workers)(1), {
    parked: 111,
    hits: 114,
    misses: 117,
    connections: 120,
    retriesLeft: 123,
  });
  t.same(WorkerStats.figuresOf(workers)(0), NO_FIGURES);
  t.same(WorkerStats.figuresOf([])(1), NO_FIGURES);
});

void t.test('a pool that has gone leaves no figures for the next owner of its slot', async t => {
  const memory = WorkerStats.allocate(3);
  const worker = new WorkerStats(memory);
  worker.setFigures([slotAt(0, 1), slotAt(2, 4)]);
  worker.setFigures([slotAt(2, 4)]);
  t.same(WorkerStats.figuresOf([worker])(0), NO_FIGURES);
  t.same(WorkerStats.figuresOf([worker])(2), figuresFrom(4));
});

void t.test('the pools of a dead worker are gone, its sessions ever are not', async t => {
  const memory = WorkerStats.allocate(3);
  const worker = new WorkerStats(memory);
  worker.sessionsEver = 7;
  worker.setFigures([slotAt(0, 1), slotAt(2, 4)]);
  new WorkerStats(memory).clearFigures(3);
  for (const slot of [0, 1, 2]) t.same(WorkerStats.figuresOf([worker])(slot), NO_FIGURES);
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
