/**
 * Timers whose next due time is known.
 *
 * Place: one per thread whose loop waits for its sockets by itself (engine/epoll/reactor.ts): Node runs no timer during
 * such a wait, so it must not last longer than until the next one. Node still runs the timers; this file only keeps
 * their due times.
 * How: a heap by due time. A timer that has fired or was cancelled stays in it, marked, until it comes to the top or
 * such timers are the majority.
 */
import { Heap } from 'heap-js';

import type { SetTimer } from './timer.ts';

interface Due {
  readonly atMs: number;
  isPending: boolean;
}

const byTime = (a: Due, b: Due): number => a.atMs - b.atMs;
/** With fewer dead timers it is not worth removing them. */
const DEAD_ALLOWED = 64;

export class DueTimers {
  readonly #now: () => number;
  readonly #setTimer: SetTimer;
  #heap = new Heap<Due>(byTime);
  #dead = 0;

  /** `now` in milliseconds of a monotonic clock. */
  constructor(now: () => number, setTimer: SetTimer) {
    this.#now = now;
    this.#setTimer = setTimer;
  }

  readonly set: SetTimer = (callback, delayMs) => {
    const due = { atMs: this.#now() + delayMs, isPending: true };
    this.#heap.push(due);
    const cancel = this.#setTimer(() => {
      this.#leave(due);
      callback();
    }, delayMs);
    return () => {
      cancel();
      this.#leave(due);
    };
  };

  /** When the next one is due, by the same clock; Infinity when there is none. */
  get nextDueMs(): number {
    for (;;) {
      const first = this.#heap.peek();
      if (first === undefined) return Infinity;
      if (first.isPending) return first.atMs;
      this.#heap.pop();
      this.#dead -= 1;
    }
  }

  #leave(due: Due): void {
    if (!due.isPending) return;
    due.isPending = false;
    this.#dead += 1;
    if (this.#dead <= DEAD_ALLOWED || this.#dead * 2 < this.#heap.length) return;
    const pending = this.#heap.toArray().filter(({ isPending }) => isPending);
    this.#heap = new Heap<Due>(byTime);
    this.#heap.init(pending);
    this.#dead = 0;
  }
}
