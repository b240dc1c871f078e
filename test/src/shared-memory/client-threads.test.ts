/** The table of clients in real threads, some of which are ended in the middle of it. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { ClientTable } from '../../../src/shared-memory/client-table.ts';
import type { ThreadResult, ThreadStart } from './client-thread.ts';

const SESSIONS = 2;

function setUp(clients: number, workers: number) {
  const memory = ClientTable.allocate(1, workers);
  const held = new SharedArrayBuffer(4 * clients);
  const start = (index: number, rounds: number): Worker =>
    new Worker(new URL('./client-thread.js', import.meta.url), {
      workerData: { index, memory, held, sessions: SESSIONS, rounds } satisfies ThreadStart,
      execArgv: [],
    });
  return { memory, start };
}

/** What the table says of each client: whether it has none, or as many as it may. */
function free(table: ClientTable, clients: number): number {
  const rules = { sessions: 1, rate: undefined, ipv4Prefix: 32, ipv6Prefix: 64 };
  let count = 0;
  for (let client = 0; client < clients; client++) {
    const entered = table.enter(`10.0.${client >> 8}.${client & 255}`, rules);
    if (typeof entered !== 'number') continue;
    count += 1;
    table.leave(entered);
  }
  return count;
}

for (const clients of [4, 20_000])
  void t.test(
    `threads that all come at once never let a client beyond its limit: ${clients} clients`,
    async t => {
      const { memory, start } = setUp(clients, 3);
      const results = await Promise.all(
        [0, 1, 2].map(
          index =>
            new Promise<ThreadResult>((resolve, reject) => {
              const thread = start(index, 100_000);
              thread.on('error', reject);
              thread.on('message', (said: 'started' | ThreadResult) => said !== 'started' && resolve(said));
            }),
        ),
      );
      t.equal(
        results.reduce((sum, { beyond }) => sum + beyond, 0),
        0,
      );
      if (clients < 20) t.ok(results.some(({ refused }) => refused > 0));
      t.equal(free(new ClientTable(memory), clients), clients, 'and at the end nobody has a session');
      t.comment(JSON.stringify(results));
    },
  );

void t.test('a thread that is ended in the middle of it takes nobody along', async t => {
  const { memory, start } = setUp(50, 2);
  const table = new ClientTable(memory);
  const words = new Int32Array(memory.buffer);
  let heldIt = 0;
  for (let round = 0; round < 6; round++) {
    const thread = start(1, Infinity);
    await once(thread, 'message');
    await thread.terminate();
    if (words.subarray(2, 2 + 16).includes(2)) heldIt += 1;
    table.forget(1);
    t.equal(free(table, 50), 50);
    t.notOk(words.subarray(2, 2 + 16).some(word => word !== 0));
  }
  t.comment(`${heldIt} of 6 held a lock when they ended`);
});
