/** A thread of sticky-threads.test.ts: looks clients up and binds them, for some rounds or until it is ended. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { StickyTable, type StickyMemory } from '../../../src/shared-memory/sticky-table.ts';

export interface ThreadStart {
  readonly index: number;
  readonly memory: StickyMemory;
  readonly clients: number;
  readonly rounds: number;
}

// tap runs whatever it finds in a folder, also this.
if (parentPort !== null) parentPort.postMessage(play(parentPort, workerData as ThreadStart));

/** How often a client was given another one's slot. */
function play(port: MessagePort, { index, memory, clients, rounds }: ThreadStart): number {
  const table = StickyTable.forWorker(memory, index);
  let wrong = 0;
  port.postMessage('started');
  for (let round = 0, client = index; round < rounds; round++) {
    client = (client * 7 + round + 1) % clients;
    const address = `10.0.${client >> 8}.${client & 255}`;
    const slot = table.find(address);
    // Whoever binds it binds it to this.
    if (slot === undefined) table.bind(address, 3 * client);
    else if (slot !== 3 * client) wrong += 1;
  }
  return wrong;
}
