/**
 * Looks at the heartbeats of all workers, now and then.
 *
 * Place: a part of the fleet; what follows from a beat that is missing is decided by each `WorkerThread`.
 */
import type { SetTimer } from '../support/timer.ts';

/** How often heartbeats are looked at. */
const WATCH_MS = 500;

export class Heartbeats {
  readonly #threads: readonly { checkBeat(sinceMs: number): void }[];
  readonly #now: () => number;
  readonly #setTimer: SetTimer;
  #cancelTimer: (() => void) | undefined;
  #lastMs = 0;

  /** @param setTimer whose timers do not keep the process alive */
  constructor(
    threads: readonly { checkBeat(sinceMs: number): void }[],
    now: () => number,
    setTimer: SetTimer,
  ) {
    this.#threads = threads;
    this.#now = now;
    this.#setTimer = setTimer;
  }

  start(): void {
    this.#lastMs = this.#now();
    this.#cancelTimer = this.#setTimer(() => this.#check(), WATCH_MS);
  }

  stop(): void {
    this.#cancelTimer?.();
  }

  #check(): void {
    const now = this.#now();
    // A process that stood still as a whole must not blame its workers for it.
    const sinceMs = Math.min(now - this.#lastMs, 2 * WATCH_MS);
    this.#lastMs = now;
    this.#cancelTimer = this.#setTimer(() => this.#check(), WATCH_MS);
    for (const thread of this.#threads) thread.checkBeat(sinceMs);
  }
}
