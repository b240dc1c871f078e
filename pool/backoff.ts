/**
 * Exponential back-off with jitter, and the timer that waits it out.
 *
 * Place: paces the refill of one warm pool after failed connects and after spares that died young.
 * Invariants:
 * - at most one timer runs;
 * - each failure in a row doubles the wait up to `maxMs`;
 * - the jitter takes away up to half of it, so that many pools which lost the same backend do not come back in step.
 */
import type { Cancel } from './connection-pool.ts';
import type { SetTimer } from './timer.ts';

export interface BackoffOptions {
  /** The longest wait after the first failure, in milliseconds, > 0. */
  readonly firstMs: number;
  /** The longest wait of all, ≥ firstMs. */
  readonly maxMs: number;
}

export interface BackoffDeps {
  /** Uniform in [0, 1). */
  random(): number;
  readonly setTimer: SetTimer;
}

export class Backoff {
  readonly #options: BackoffOptions;
  readonly #deps: BackoffDeps;
  readonly #onOver: () => void;
  #failures = 0;
  #cancelTimer: Cancel | undefined;

  /** `onOver` is called when a wait is over, not when it is stopped. */
  constructor(options: BackoffOptions, deps: BackoffDeps, onOver: () => void) {
    this.#options = options;
    this.#deps = deps;
    this.#onOver = onOver;
  }

  get isWaiting(): boolean {
    return this.#cancelTimer !== undefined;
  }

  /**
   * Records one more failure in a row: waits, twice as long as after the last one. During a wait it changes nothing,
   * because spares that die together have one cause.
   */
  failed(): void {
    if (this.isWaiting) return;
    const longest = Math.min(this.#options.maxMs, this.#options.firstMs * 2 ** this.#failures);
    this.#failures++;
    const waitMs = longest * (1 - this.#deps.random() / 2);
    this.#cancelTimer = this.#deps.setTimer(() => {
      this.#cancelTimer = undefined;
      this.#onOver();
    }, waitMs);
  }

  /** The backend works: the next failure counts as a first one. A wait under way goes on. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** Ends the wait under way; the failures stay counted. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
