/**
 * A cap on sessions that run at the same time, for one listener or for the whole instance, over all workers.
 *
 * Place: the data plane asks it before each session, and holds listeners while it says that the cap is reached.
 * Workers and fairness: a place that is freed goes by turns to this worker's clients and to whoever waits
 * elsewhere, who hears of it through control; a worker with many clients would otherwise keep all places.
 * Invariants: never more than `max` sessions, whoever counts them; `onFull` and `onFree` alternate; whoever
 * waits is told of a place, because it asks first and then looks once more.
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

  /** Another cap from now on, Infinity for none; sessions that run go on, however many. */
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
    if (isAwaited && this.#counts.memory.workers > 1) {
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

  /** False when somebody has just left: then there is no need to stop. */
  #fill(): boolean {
    if (this.#isFull) return true;
    if (!this.#counts.awaitPlace(this.#slot, this.#max)) return false;
    this.#isFull = true;
    this.#handlers.onFull();
    return true;
  }
}
