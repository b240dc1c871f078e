/**
 * How fast sessions may begin at one listener, over all workers: `limits.rate`.
 *
 * Place: the last of a front's places, so that a client that finds no other place takes no token. While there is no
 * token the listener is held, and its clients wait.
 * Invariants:
 * - `onFull` and `onFree` alternate.
 * - A listener that is held is freed by its own timer, at most `SHORTEST_PAUSE_MS` after there is a token; which worker
 *   gets the token is a matter of chance.
 */
import type { Place } from '../admission/gate.ts';
import { SHORTEST_PAUSE_MS } from '../../shared-memory/start-rates.ts';
import type { BucketRule } from '../../shared-memory/token-bucket.ts';
import type { SetTimer } from '../../support/timer.ts';

export interface StartRateDeps {
  /** Takes a token; returns how long it takes until there is one, 0 when it was taken. */
  take(rule: BucketRule): number;
  readonly setTimer: SetTimer;
  onFull(): void;
  onFree(): void;
}

export class StartRate implements Place {
  readonly #deps: StartRateDeps;
  #rule: BucketRule | undefined;
  #cancelTimer: (() => void) | undefined;

  /** Any rate: `configure` sets one. */
  constructor(deps: StartRateDeps) {
    this.#deps = deps;
  }

  /** Another rate from now on; undefined: any. */
  configure(rule: BucketRule | undefined): void {
    this.#rule = rule;
    // Clients that wait ask anew.
    this.#free();
  }

  get isFull(): boolean {
    return this.#cancelTimer !== undefined;
  }

  enter(): boolean {
    if (this.#rule === undefined) return true;
    const waitMs = this.#deps.take(this.#rule);
    if (waitMs === 0) return true;
    if (!this.isFull) {
      const pauseMs = Math.max(Math.ceil(waitMs), SHORTEST_PAUSE_MS);
      this.#cancelTimer = this.#deps.setTimer(() => this.#free(), pauseMs);
      this.#deps.onFull();
    }
    return false;
  }

  /** A session that ends at once has begun all the same; nothing that others wait for is given back. */
  enterAnyway(): void {
    if (this.#rule !== undefined) this.#deps.take(this.#rule);
  }

  leave(): void {
    // A token is spent.
  }

  #free(): void {
    if (!this.isFull) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#deps.onFree();
  }
}
