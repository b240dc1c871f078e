/**
 * A cap on the sessions of one upstream over all its backends and all workers: `limits.maxSessions`.
 *
 * Place: the picker takes a place with each pick, and the lease gives it back. A session that finds none waits in the
 * queue, as it does when every backend is full.
 * Invariants:
 * - Sessions are counted without a cap, too, so that one that comes later knows of those that run.
 * - Never more than the cap, but for a session that moves to another backend and gives its old place back at once.
 */
import type { LiveCounts } from '../../shared-memory/live-counts.ts';
import { UPSTREAM_SESSIONS } from '../../shared-memory/upstream-state.ts';
import type { Place } from '../admission/gate.ts';

export class UpstreamPlaces implements Place {
  readonly #counts: LiveCounts;
  #max: number | undefined;

  constructor(counts: LiveCounts, max: number | undefined) {
    this.#counts = counts;
    this.#max = max;
  }

  /** Another cap from now on; running sessions go on, however many they are. */
  configure(max: number | undefined): void {
    this.#max = max;
  }

  get isFull(): boolean {
    return this.#max !== undefined && this.#counts.live(UPSTREAM_SESSIONS) >= this.#max;
  }

  enter(): boolean {
    return this.#counts.take(UPSTREAM_SESSIONS, this.#max);
  }

  enterAnyway(): void {
    this.#counts.take(UPSTREAM_SESSIONS, undefined);
  }

  leave(): void {
    this.#counts.release(UPSTREAM_SESSIONS);
  }
}
