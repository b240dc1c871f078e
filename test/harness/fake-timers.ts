/** Timers that run when the test says so. */
import type { SetTimer } from '../../src/support/timer.ts';

export class FakeTimers {
  /** The delays asked for, in order. */
  readonly delays: number[] = [];
  readonly #pending: { readonly callback: () => void }[] = [];

  readonly set: SetTimer = (callback, delayMs) => {
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
