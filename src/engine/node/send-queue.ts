/**
 * Waits until a peer has received everything that was written to it, so that a reset can follow.
 *
 * Place: the relay asks before it resets a surviving side. SO_LINGER 0 throws away what the kernel has not
 * sent: without this wait a client on a slow line gets 128 KB of 3 MB (docs/adr/0001-engine-contract.md).
 * One watch per engine serves all sockets that wait: one pass over the kernel's table at a time, 20 ms after
 * somebody starts waiting, then ever more rarely up to 500 ms; nothing runs while nobody waits. A pass costs
 * in proportion to all sockets of the machine, TIME_WAIT included (measured: 30 ms for 2,700, 300 ms for
 * 60,000, most of it outside this thread), so a rest in proportion to that follows each.
 * Invariants: `done` is called exactly once unless cancelled, never before `whenDelivered` has returned.
 */
import type { Socket } from 'node:net';

import { readSendQueues, tcpRow, type TcpRow, type TcpTable } from './proc-net-tcp.ts';
import type { SetTimer } from '../../support/timer.ts';

/** 'delivered': acknowledged, or the peer is gone and nothing can be; 'unknown': this system does not tell. */
export type Delivery = 'delivered' | 'unknown';

/** A connection with something on its way to the peer. */
export interface Sending {
  readonly socket: Socket;
  /** Some of it is not with the kernel yet. */
  readonly hasUnsent: boolean;
}

export interface SendQueueWatch {
  /** Calls `done` when nothing is left to send to the peer, and `onProgress` whenever less is left. */
  whenDelivered(sending: Sending, onProgress: () => void, done: (delivery: Delivery) => void): () => void;
}

interface Waiting {
  readonly sending: Sending;
  readonly row: TcpRow | undefined;
  readonly onProgress: () => void;
  readonly done: (delivery: Delivery) => void;
  /** What was left at the last look; undefined before the first. */
  leftBytes: number | undefined;
  missedPasses: number;
}

const FIRST_DELAY_MS = 20;
const LONGEST_DELAY_MS = 500;
/** A millisecond of rest after a pass for so many lines: about twice as long as the pass itself took. */
const LINES_PER_MS = 100;
/** The table is not read in one piece: a socket can be missed once although it exists. */
const PASSES_TO_BE_GONE = 3;

export function createSendQueueWatch(deps: {
  readonly setTimer: SetTimer;
  /** The directory of the tables `tcp` and `tcp6`; default `/proc/self/net`. */
  readonly procNet?: string;
}): SendQueueWatch {
  const { setTimer, procNet = '/proc/self/net' } = deps;
  const everyone = new Set<Waiting>();
  let state: 'idle' | 'planned' | 'reading' | 'resting' = 'idle';
  let delayMs = FIRST_DELAY_MS;
  let cancelTimer = (): void => undefined;

  function plan(): void {
    if (everyone.size === 0) {
      state = 'idle';
      return;
    }
    state = 'planned';
    cancelTimer = setTimer(() => void pass(), delayMs);
  }

  async function pass(): Promise<void> {
    state = 'reading';
    delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
    // Bytes still queued in Node are not in the kernel's count: such sockets wait for the next pass.
    const looked = [...everyone].filter(({ sending }) => isWithKernel(sending));
    const lines = await lookUp('tcp', looked);
    const linesOfBoth = lines + (await lookUp('tcp6', looked));
    state = 'resting';
    cancelTimer = setTimer(plan, linesOfBoth / LINES_PER_MS);
  }

  /** Looks up the sockets of one table; resolves to its number of lines, 0 when it was not read. */
  async function lookUp(table: TcpTable, looked: readonly Waiting[]): Promise<number> {
    const byKey = new Map<string, Waiting>();
    for (const each of looked) if (each.row?.table === table) byKey.set(each.row.key, each);
    if (byKey.size === 0) return 0;
    const left = new Map<Waiting, number>();
    try {
      const lines = await readSendQueues(`${procNet}/${table}`, (key, unackedBytes) => {
        const each = byKey.get(key);
        if (each !== undefined) left.set(each, unackedBytes);
      });
      for (const each of byKey.values()) judge(each, left.get(each));
      return lines;
    } catch {
      for (const each of byKey.values()) settle(each, 'unknown');
      return 0;
    }
  }

  function judge(each: Waiting, leftBytes: number | undefined): void {
    if (leftBytes === 0) {
      settle(each, 'delivered');
    } else if (leftBytes === undefined) {
      each.missedPasses++;
      if (each.missedPasses >= PASSES_TO_BE_GONE) settle(each, 'delivered');
    } else {
      each.missedPasses = 0;
      if (each.leftBytes !== undefined && leftBytes < each.leftBytes) each.onProgress();
      each.leftBytes = leftBytes;
    }
  }

  function settle(each: Waiting, delivery: Delivery): void {
    if (everyone.delete(each)) each.done(delivery);
  }

  return {
    whenDelivered(sending, onProgress, done) {
      const row = tcpRow(sending.socket);
      const each: Waiting = { sending, row, onProgress, done, leftBytes: undefined, missedPasses: 0 };
      everyone.add(each);
      if (row === undefined) process.nextTick(() => settle(each, 'delivered'));
      // Only a pass that is far off is brought forward: a steady stream of resets must not put it off for ever.
      if (state === 'planned' && delayMs > FIRST_DELAY_MS) {
        cancelTimer();
        state = 'idle';
      }
      delayMs = FIRST_DELAY_MS;
      if (state === 'idle') plan();
      return () => {
        everyone.delete(each);
      };
    },
  };
}

/** True when Node holds nothing for the peer any more, our FIN included. */
function isWithKernel({ socket, hasUnsent }: Sending): boolean {
  return !hasUnsent && (!socket.writableEnded || socket.writableFinished);
}
