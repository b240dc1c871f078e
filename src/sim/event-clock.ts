/**
 * A clock that jumps from one timer to the next: what a discrete-event simulation runs on.
 *
 * Place: every event of a simulation is a timer of this clock; `cluster.ts` and `slow-start.ts` advance it.
 * Invariants:
 * - Timers of the same instant run in the order in which they were set.
 * - Time never goes back, and stands still until promises have settled.
 */
import { Heap } from 'heap-js';
import type { SetTimer } from '../support/timer.ts';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
  isCancelled: boolean;
}

export class EventClock {
  #nowMs: number;
  #order = 0;
  /** A promise has settled, and the code that awaits it has not run yet. */
  #hasResolved = false;
  readonly #timers = new Heap<Timer>((a, b) => a.atMs - b.atMs || a.order - b.order);

  constructor(fromMs = 0) {
    this.#nowMs = fromMs;
  }

  readonly now = (): number => this.#nowMs;

  readonly setTimer: SetTimer = (callback, delayMs) => {
    this.#order += 1;
    const atMs = this.#nowMs + Math.max(delayMs, 0);
    const timer = { atMs, order: this.#order, callback, isCancelled: false };
    this.#timers.push(timer);
    return () => {
      timer.isCancelled = true;
    };
  };

  /** When the next timer is due; Infinity if there is none. */
  get nextAtMs(): number {
    for (let next = this.#timers.peek(); next !== undefined; next = this.#timers.peek()) {
      if (!next.isCancelled) return next.atMs;
      this.#timers.pop();
    }
    return Infinity;
  }

  /** Moves to a time that no timer is due before. */
  moveTo(ms: number): void {
    if (ms < this.#nowMs || ms > this.nextAtMs)
      throw new Error('a clock neither turns back nor skips a timer');
    this.#nowMs = ms;
  }

  /** Lets time pass, and runs each timer on the way at its own time; for timers that start nothing asynchronous. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    while (this.nextAtMs <= untilMs) {
      this.moveTo(this.nextAtMs);
      this.#timers.pop()?.callback();
    }
    this.moveTo(untilMs);
  }

  /** Time that an asynchronous function lets pass. */
  async pass(ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      this.setTimer(() => {
        this.#hasResolved = true;
        resolve();
      }, ms);
    });
  }

  /** Runs the next timer, at its time, and the code that waited for it with `pass`. */
  async runNext(): Promise<void> {
    this.moveTo(this.nextAtMs);
    this.#timers.pop()?.callback();
    if (!this.#hasResolved) return;
    this.#hasResolved = false;
    // After all code that waits only for promises; cheaper than a turn of the loop.
    await new Promise<void>(resolve => process.nextTick(resolve));
  }
}
