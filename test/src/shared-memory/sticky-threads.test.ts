/** The sticky table in real threads, some of which are ended in the middle of it. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { StickyTable } from '../../../src/shared-memory/sticky-table.ts';
import { checkStructure } from './sticky-structure.ts';
import type { ThreadStart } from './sticky-thread.ts';

function startThread(start: ThreadStart): Worker {
  return new Worker(new URL('./sticky-thread.js', import.meta.url), { workerData: start, execArgv: [] });
}

void t.test('threads that all change the table at once leave it whole', async t => {
  const table = new StickyTable({ max: 200, ttlMs: 60_000 });
  const threads = [0, 1, 2].map(index =>
    startThread({ index, memory: table.memory, clients: 400, rounds: 100_000 }),
  );
  const answers = await Promise.all(
    threads.map(
      thread =>
        new Promise((resolve, reject) => {
          thread.on('error', reject);
          thread.on('message', message => message !== 'started' && resolve(message));
        }),
    ),
  );
  t.same(answers, [0, 0, 0], 'nobody has another client’s backend');
  t.equal(table.size, 200);
  t.equal(checkStructure(table.memory).length, 200);
});

void t.test('a thread that is ended in the middle of it takes nobody along', async t => {
  const table = new StickyTable({ max: 200, ttlMs: 60_000 });
  const words = new Int32Array(table.memory.buffer);
  let heldIt = 0;
  for (let round = 0; round < 6; round++) {
    const thread = startThread({ index: 1, memory: table.memory, clients: 400, rounds: Infinity });
    await once(thread, 'message');
    await thread.terminate();
    if (words[0] === 2) heldIt += 1;
    table.forget(1);
    checkStructure(table.memory);
    table.bind('192.0.2.1', round);
    t.equal(table.find('192.0.2.1'), round);
  }
  t.comment(`${heldIt} of 6 held the lock when they ended`);
});
