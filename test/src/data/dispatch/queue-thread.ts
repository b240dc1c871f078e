/** A thread of queue-threads.test.ts: its clients come at once and stay for a few turns of the loop. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { Queue, type Waiter, type QueueEntry } from '../../../../src/data/dispatch/queue.ts';
import { LiveCounts, type CountsMemory } from '../../../../src/shared-memory/live-counts.ts';
import { QueueOrder, type QueueMemory } from '../../../../src/shared-memory/queue-order.ts';
import { setUnrefTimer } from '../../../../src/support/timer.ts';

export interface ThreadStart {
  readonly index: number;
  readonly counts: CountsMemory;
  readonly order: QueueMemory;
  readonly backend: number;
  readonly slot: number;
  readonly limit: number;
  readonly sessions: number;
}

export type FromThread =
  'others' | { readonly served: number; readonly waited: number; readonly timedOut: number };

// tap runs whatever it finds in a folder, also this.
if (parentPort !== null) play(parentPort, workerData as ThreadStart);

function play(port: MessagePort, start: ThreadStart): void {
  const counts = new LiveCounts(start.counts, start.index);
  const tally = { served: 0, waited: 0, timedOut: 0 };
  const queue = new Queue(
    { max: 10_000, timeout: 20_000 },
    {
      slot: start.slot,
      counts,
      order: new QueueOrder(start.order, start.index),
      now: () => performance.now(),
      setTimer: setUnrefTimer,
      onOthersFirst: () => port.postMessage('others' satisfies FromThread),
      onQueueing: () => undefined,
    },
  );
  const tellWhenDone = (): void => {
    if (tally.served + tally.timedOut === start.sessions) port.postMessage(tally satisfies FromThread);
  };

  class Client implements Waiter {
    entry: QueueEntry | undefined;

    takePlace(): boolean {
      return counts.take(start.backend, start.limit);
    }

    onPlace(): void {
      tally.waited += 1;
      this.stay(3);
    }

    onWaitTimeout(): void {
      tally.timedOut += 1;
      tellWhenDone();
    }

    stay(turns: number): void {
      if (turns > 0) {
        setImmediate(() => this.stay(turns - 1));
        return;
      }
      counts.release(start.backend);
      queue.placeFreed();
      tally.served += 1;
      tellWhenDone();
    }
  }

  port.on('message', (message: 'recheck' | 'end') => {
    if (message === 'end') port.close();
    else queue.recheck();
  });
  for (let i = 0; i < start.sessions; i++) {
    setImmediate(() => {
      const client = new Client();
      if (!queue.mustWait() && client.takePlace()) client.stay(3);
      else queue.join(client);
    });
  }
}
