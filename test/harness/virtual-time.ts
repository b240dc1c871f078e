/** A clock and timers that stand until the test moves them on: everything due happens, in order, at its own time. */
import type { SetTimer } from '../../src/support/timer.ts';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

export class VirtualTime {
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  readonly now = (): number => this.#nowMs;

  readonly setTimer: SetTimer = (callback, delayMs) => {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  get pending(): number {
    return this.#timers.size;
  }

  /** Resolves after this time. */
  async wait(ms: number): Promise<void> {
    await new Promise<void>(resolve => this.setTimer(resolve, ms));
  }

  /** Moves time on, and lets promises run after each timer. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#timers.delete(next);
      this.#nowMs = next.atMs;
      next.callback();
      await settled();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= endMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
    }
    return next;
  }
}

/** Every promise that can settle by itself has. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
