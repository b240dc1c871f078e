/** Timers without a clock: each runs when the test says so. With a clock: fake-clock.ts. */
import type { SetTimer } from '../../src/support/timer.ts';

/** What a test sees of the timers that it has handed out. */
export interface TestTimers {
  readonly setTimer: SetTimer;
  /** The delays asked for, in order. */
  readonly delays: readonly number[];
  /** How many are set. */
  readonly pending: number;
}

export class FakeTimers implements TestTimers {
  readonly delays: number[] = [];
  readonly #pending: { readonly callback: () => void }[] = [];

  readonly setTimer: SetTimer = (callback, delayMs) => {
    const timer = { callback };
    this.delays.push(delayMs);
    this.#pending.push(timer);
    return () => {
      const index = this.#pending.indexOf(timer);
      if (index !== -1) this.#pending.splice(index, 1);
    };
  };

  get pending(): number {
    return this.#pending.length;
  }

  /** Runs all that are set now; those that they set wait. */
  fireAll(): void {
    for (const { callback } of this.#pending.splice(0)) callback();
  }

  /** Runs the timer that was set first. */
  fireNext(): void {
    this.#pending.shift()?.callback();
  }
}
