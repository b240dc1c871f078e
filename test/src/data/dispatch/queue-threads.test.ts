/** The queue in real threads: nobody is forgotten, and no place is used twice. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { LiveCounts } from '../../../../src/shared-memory/live-counts.ts';
import { QueueOrder } from '../../../../src/shared-memory/queue-order.ts';
import type { FromThread, ThreadStart } from './queue-thread.ts';

const THREADS = 3;
const SESSIONS = 400;
const LIMIT = 2;

void t.test('clients of several threads all have their turn, within the limit', async t => {
  const counts = new LiveCounts(LiveCounts.allocate(2, THREADS));
  const order = new QueueOrder(QueueOrder.allocate(THREADS));
  const [backend, slot] = [0, 1];
  const threads = Array.from({ length: THREADS }, (_, index) => {
    const workerData: ThreadStart = {
      index,
      counts: counts.memory,
      order: order.memory,
      backend,
      slot,
      limit: LIMIT,
      sessions: SESSIONS,
    };
    return new Worker(new URL('./queue-thread.js', import.meta.url), { workerData, execArgv: [] });
  });
  let most = 0;
  const done = threads.map(
    thread =>
      new Promise<Exclude<FromThread, 'others'>>((resolve, reject) => {
        thread.on('error', reject);
        thread.on('message', (message: FromThread) => {
          most = Math.max(most, counts.live(backend));
          if (message === 'others') for (const each of threads) each.postMessage('recheck');
          else resolve(message);
        });
      }),
  );
  const tallies = await Promise.all(done);
  t.same(
    tallies.map(({ served, timedOut }) => [served, timedOut]),
    threads.map(() => [SESSIONS, 0]),
  );
  t.ok(
    tallies.every(({ waited }) => waited > 0),
    'they have waited',
  );
  t.ok(most <= LIMIT);
  t.same([counts.live(backend), counts.live(slot), order.isEmpty()], [0, 0, true]);
  const exits = threads.map(thread => once(thread, 'exit'));
  for (const thread of threads) thread.postMessage('end');
  t.same(await Promise.all(exits), [[0], [0], [0]]);
});
