/**
 * A cap on sessions that run at the same time, for one listener or for the whole instance, over all workers.
 *
 * Place: the data plane asks it before each session, and holds listeners while the cap is reached.
 * Fairness among workers: freed places go by turns to this worker's clients and to other workers that wait, which
 * control informs; a worker with many clients would otherwise keep all places.
 * Invariants:
 * - Never more than `max` sessions, in whichever worker they are counted.
 * - `onFull` and `onFree` alternate.
 * - No freed place is missed: a worker that waits registers first and then looks once more.
 */
import type { Place } from '../admission/gate.ts';
import type { LiveCounts } from '../../shared-memory/live-counts.ts';

export interface SessionLimitHandlers {
  onFull(): void;
  onFree(): void;
  /** A place is free that other workers have asked for; they must `recheck`, and so must this one. */
  onPlaceFreed?(): void;
}

export class SessionLimit implements Place {
  #max = Infinity;
  readonly #slot: number;
  readonly #counts: LiveCounts;
  readonly #handlers: SessionLimitHandlers;
  #isFull = false;
  #othersFirst = false;

  /** No limit yet: `configure` sets one. */
  constructor(slot: number, counts: LiveCounts, handlers: SessionLimitHandlers) {
    this.#slot = slot;
    this.#counts = counts;
    this.#handlers = handlers;
  }

  /** Another cap from now on, Infinity for none; running sessions go on, however many they are. */
  configure(max: number): void {
    if (max === this.#max) return;
    this.#max = max;
    if (this.#isFull) this.recheck();
    else if (this.open >= max) this.#fill();
  }

  /** Sessions of all workers. */
  get open(): number {
    return this.#counts.live(this.#slot);
  }

  /** From `onFull` to `onFree`. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Counts a session in, unless the cap is reached. */
  enter(): boolean {
    if (this.#max === Infinity) return this.#counts.take(this.#slot, undefined);
    while (!this.#counts.take(this.#slot, this.#max)) if (this.#fill()) return false;
    if (this.open >= this.#max) this.#fill();
    return true;
  }

  /** Counts in a session that ends at once, whatever the cap says. */
  enterAnyway(): void {
    this.#counts.take(this.#slot, undefined);
  }

  leave(): void {
    const isAwaited = this.#counts.release(this.#slot);
    if (isAwaited && this.#counts.threads > 1) {
      this.#othersFirst = !this.#othersFirst;
      this.#handlers.onPlaceFreed?.();
      if (this.#othersFirst) return;
    }
    this.recheck();
  }

  /** There may be a place again. */
  recheck(): void {
    if (!this.#isFull || this.#counts.awaitPlace(this.#slot, this.#max)) return;
    this.#isFull = false;
    this.#handlers.onFree();
  }

  /** False when a session has just left: then there is no need to stop. */
  #fill(): boolean {
    if (this.#isFull) return true;
    if (!this.#counts.awaitPlace(this.#slot, this.#max)) return false;
    this.#isFull = true;
    this.#handlers.onFull();
    return true;
  }
}
