/**
 * How fast sessions begin at a listener with a `rate`, over all threads: a token bucket for each slot.
 *
 * Place: asked by `data/listener/start-rate.ts`. Arithmetic as in token-bucket.ts, in whole nanoseconds, so that one
 * atomic step takes a token and no lock is needed; a thread that dies holds nothing.
 */
import { sharedNowMs } from './shared-clock.ts';
import type { BucketRule } from './token-bucket.ts';

/** A listener without a token looks again after this time at the earliest; tokens of this time are not lost. */
export const SHORTEST_PAUSE_MS = 10;
const NS_PER_MS = 1e6;

export class StartRates {
  readonly memory: SharedArrayBuffer;
  /** When each bucket is full again. */
  readonly #fullAt: BigInt64Array;
  readonly #now: () => number;

  constructor(memory: SharedArrayBuffer, nowMs: () => number = sharedNowMs) {
    this.memory = memory;
    this.#fullAt = new BigInt64Array(memory);
    this.#now = nowMs;
  }

  /** Pages that no slot touches take no memory. */
  static allocate(slots: number): SharedArrayBuffer {
    return new SharedArrayBuffer(slots * BigInt64Array.BYTES_PER_ELEMENT);
  }

  /** Takes a token, if there is one. Returns how long it takes until there is one: 0 when it was taken. */
  take(slot: number, { intervalMs, burst }: BucketRule): number {
    const [now, interval] = [nanoseconds(this.#now()), nanoseconds(intervalMs)];
    const ahead = interval * BigInt(burst - 1);
    for (;;) {
      const fullAt = Atomics.load(this.#fullAt, slot);
      // Another rate may have left more missing than there can be now.
      const most = fullAt < now + ahead + interval ? fullAt : now + ahead + interval;
      const from = most > now ? most : now;
      const isThere = from - now <= ahead;
      const next = isThere ? from + interval : from;
      if (next !== fullAt && Atomics.compareExchange(this.#fullAt, slot, fullAt, next) !== fullAt) continue;
      return isThere ? 0 : Number(from - now - ahead) / NS_PER_MS;
    }
  }

  /** The slot has another owner from now on. */
  clear(slot: number): void {
    Atomics.store(this.#fullAt, slot, 0n);
  }
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * NS_PER_MS));
}
