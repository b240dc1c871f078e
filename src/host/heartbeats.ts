/**
 * Checks the heartbeats of all workers at an interval.
 *
 * Place: a part of the fleet; each `WorkerThread` decides what follows from a missing beat.
 */
import type { SetTimer } from '../support/timer.ts';

/** How often heartbeats are checked. */
const WATCH_MS = 500;

export class Heartbeats {
  readonly #threads: () => readonly { checkBeat(sinceMs: number): void }[];
  readonly #now: () => number;
  readonly #setTimer: SetTimer;
  #cancelTimer: (() => void) | undefined;
  #lastMs = 0;

  /** @param setTimer its timers do not keep the process alive */
  constructor(
    threads: () => readonly { checkBeat(sinceMs: number): void }[],
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
    // When the whole process stood still, its workers are not to blame.
    const sinceMs = Math.min(now - this.#lastMs, 2 * WATCH_MS);
    this.#lastMs = now;
    this.#cancelTimer = this.#setTimer(() => this.#check(), WATCH_MS);
    for (const thread of this.#threads()) thread.checkBeat(sinceMs);
  }
}
