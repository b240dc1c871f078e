/** A clock and its timers, moved by hand: for `now` and `setTimer` of the pool. */
import type { Cancel } from '../../pool/connection-pool.ts';

interface Timer {
  readonly atMs: number;
  readonly delayMs: number;
  readonly callback: () => void;
}

export class FakeClock {
  nowMs = 5_000;
  #timers: Timer[] = [];

  readonly now = (): number => this.nowMs;

  readonly setTimer = (callback: () => void, ms: number): Cancel => {
    const timer = { atMs: this.nowMs + ms, delayMs: ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer);
    };
  };

  /** The delays that the timers under way were set with, soonest first. */
  get delaysMs(): number[] {
    return this.#timers.toSorted((a, b) => a.atMs - b.atMs).map(timer => timer.delayMs);
  }

  /** Moves the clock, and runs what falls due on the way at its own time. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers = this.#timers.filter(other => other !== next);
      this.nowMs = next.atMs;
      next.callback();
    }
    this.nowMs = untilMs;
  }
}
