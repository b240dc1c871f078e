/** A thread of client-threads.test.ts: lets sessions of clients in and out, for some rounds or until it is ended. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { ClientTable, type ClientTableMemory } from '../../../src/shared-memory/client-table.ts';

export interface ThreadStart {
  readonly index: number;
  readonly memory: ClientTableMemory;
  /** Sessions that clients have now: counted after they were let in, and until before they leave. */
  readonly held: SharedArrayBuffer;
  readonly sessions: number;
  readonly rounds: number;
}

export interface ThreadResult {
  /** Times that a client had more than its sessions. */
  readonly beyond: number;
  readonly refused: number;
  readonly uncounted: number;
}

/** Sessions that each thread has at a time. */
const AT_A_TIME = 3;

// tap runs whatever it finds in a folder, also this.
if (parentPort !== null) parentPort.postMessage(play(parentPort, workerData as ThreadStart));

function play(port: MessagePort, { index, memory, held, sessions, rounds }: ThreadStart): ThreadResult {
  const table = new ClientTable(memory, index);
  const counts = new Int32Array(held);
  const clients = counts.length;
  const rules = { sessions, rate: undefined, ipv4Prefix: 32, ipv6Prefix: 64 };
  const running: { readonly client: number; readonly entry: number }[] = [];
  let [beyond, refused, uncounted] = [0, 0, 0];
  port.postMessage('started');
  for (let round = 0, client = index; round < rounds; round++) {
    client = (client * 7 + round + 1) % clients;
    const entered = table.enter(`10.0.${client >> 8}.${client & 255}`, rules);
    if (entered === 'uncounted') uncounted += 1;
    else if (typeof entered !== 'number') refused += 1;
    else {
      if (Atomics.add(counts, client, 1) >= sessions) beyond += 1;
      running.push({ client, entry: entered });
    }
    const first = running.length > AT_A_TIME ? running.shift() : undefined;
    if (first === undefined) continue;
    Atomics.sub(counts, first.client, 1);
    table.leave(first.entry);
  }
  for (const { client, entry } of running) {
    Atomics.sub(counts, client, 1);
    table.leave(entry);
  }
  return { beyond, refused, uncounted };
}
