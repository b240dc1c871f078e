/** A thread of waiting-line-threads.test.ts: its clients come at once and stay for a few turns of the loop. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { WaitingLine, type Waiter, type WaitingPlace } from '../../../src/dispatch/waiting-line.ts';
import { LiveCounts, type CountsMemory } from '../../../src/shared-memory/live-counts.ts';
import { QueueOrder, type QueueMemory } from '../../../src/shared-memory/queue-order.ts';
import { setUnrefTimer } from '../../../src/support/timer.ts';

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
  const line = new WaitingLine(
    { max: 10_000, timeout: 20_000 },
    {
      slot: start.slot,
      counts,
      order: new QueueOrder(start.order, start.index),
      now: () => performance.now(),
      setTimer: setUnrefTimer,
      onOthersTurn: () => port.postMessage('others' satisfies FromThread),
      onQueueing: () => undefined,
    },
  );
  const tellWhenDone = (): void => {
    if (tally.served + tally.timedOut === start.sessions) port.postMessage(tally satisfies FromThread);
  };

  class Client implements Waiter {
    place: WaitingPlace | undefined;

    takeTurn(): boolean {
      return counts.take(start.backend, start.limit);
    }

    onTurn(): void {
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
      line.placeFreed();
      tally.served += 1;
      tellWhenDone();
    }
  }

  port.on('message', (message: 'recheck' | 'end') => {
    if (message === 'end') port.close();
    else line.recheck();
  });
  for (let i = 0; i < start.sessions; i++) {
    setImmediate(() => {
      const client = new Client();
      if (!line.mustWait() && client.takeTurn()) client.stay(3);
      else line.join(client);
    });
  }
}
