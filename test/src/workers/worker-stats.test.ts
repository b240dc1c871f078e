import t from 'tap';
import { WorkerStats } from '../../../src/workers/worker-stats.ts';

void t.test('what a worker writes, control reads through the same memory', async t => {
  const memory = WorkerStats.allocate(3);
  const worker = new WorkerStats(memory);
  const control = new WorkerStats(memory);
  worker.beat();
  worker.beat();
  worker.sessionsEver += 5;
  worker.sessionsAborted += 2;
  worker.sessionsLost = 1;
  worker.setPool(0, { parked: 1, hits: 2, misses: 3 });
  worker.setPool(2, { parked: 4, hits: 5, misses: 6 });
  t.match(control, { beats: 2, sessionsEver: 5, sessionsAborted: 2, sessionsLost: 1 });
  t.same(control.pool(0), { parked: 1, hits: 2, misses: 3 });
  t.same(control.pool(1), { parked: 0, hits: 0, misses: 0 });
  t.same(control.pool(2), { parked: 4, hits: 5, misses: 6 });
});
