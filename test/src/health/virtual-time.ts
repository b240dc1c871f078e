/** Timers in a time of their own, which passes when the test says so. */
import type { SetTimer } from '../../../src/support/timer.ts';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class VirtualTime {
  now = 0;
  /** The delays asked for, in order. */
  readonly delays: number[] = [];
  readonly #timers = new Set<Timer>();

  readonly set: SetTimer = (callback, delayMs) => {
    const timer = { at: this.now + delayMs, callback };
    this.delays.push(delayMs);
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  get pending(): number {
    return this.#timers.size;
  }

  /** Lets so much time pass, running each timer when it is due. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      let next: Timer | undefined;
      for (const timer of this.#timers) if (next === undefined || timer.at < next.at) next = timer;
      if (next === undefined || next.at > end) break;
      this.now = next.at;
      this.#timers.delete(next);
      next.callback();
    }
    this.now = end;
  }
}
