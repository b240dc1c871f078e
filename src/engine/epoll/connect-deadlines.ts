/**
 * The timeouts of all connects that are under way, on one timer per distinct timeout.
 *
 * Place: one per engine. Why: connects of one timeout expire in the order in which they began, so a queue and one
 * timer replace a timer each.
 * Invariants: a connect expires no earlier than its time, and at most one timer's delay later; no timer runs
 * for long without a connect.
 */
import type { SetTimer } from '../../support/timer.ts';

export interface Expiring {
  readonly timeoutMs: number;
  /** Written by the deadlines only. */
  dueMs: number;
  expire(): void;
}

export class ConnectDeadlines {
  readonly #now: () => number;
  readonly #setTimer: SetTimer;
  readonly #queues = new Map<number, Set<Expiring>>();

  /** `now` in milliseconds of a monotonic clock. */
  constructor(now: () => number, setTimer: SetTimer) {
    this.#now = now;
    this.#setTimer = setTimer;
  }

  add(connect: Expiring): void {
    connect.dueMs = this.#now() + connect.timeoutMs;
    const queue = this.#queues.get(connect.timeoutMs);
    if (queue !== undefined) {
      queue.add(connect);
      return;
    }
    this.#queues.set(connect.timeoutMs, new Set([connect]));
    this.#plan(connect.timeoutMs, connect.timeoutMs);
  }

  remove(connect: Expiring): void {
    this.#queues.get(connect.timeoutMs)?.delete(connect);
  }

  #plan(timeoutMs: number, delayMs: number): void {
    this.#setTimer(() => this.#expire(timeoutMs), Math.ceil(delayMs));
  }

  #expire(timeoutMs: number): void {
    const queue = this.#queues.get(timeoutMs);
    if (queue === undefined) return;
    const nowMs = this.#now();
    for (const connect of queue) {
      if (connect.dueMs > nowMs) {
        this.#plan(timeoutMs, connect.dueMs - nowMs);
        return;
      }
      queue.delete(connect);
      connect.expire();
    }
    // Only an empty queue is forgotten; what `expire` has added meanwhile keeps it, and needs its timer.
    if (queue.size === 0) this.#queues.delete(timeoutMs);
    else this.#plan(timeoutMs, timeoutMs);
  }
}
