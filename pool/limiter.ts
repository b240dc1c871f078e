/**
 * generic-pool behind callbacks: at most `limit` places, opened on request, requests in order.
 *
 * Place: the warm pool's limiter, factory and queue; the only file that knows generic-pool.
 * Rules that keep it usable (ADR 0002): `create` resolves, whatever happened, and never rejects or throws;
 * nothing is ever returned to it, a place is used once and destroyed; only what it lent is destroyed; its own
 * acquire timer (not unref'd), its bound on the queue (counts requests that are already being served), its
 * evictor and its minimum (given up after one failure) are not used.
 */
import { createPool, type Pool } from 'generic-pool';
import { surface } from './surface.ts';

export interface LimiterDeps<P extends object> {
  /**
   * A place is free for a request: opens what is to stand in it and calls `ready` once, then or later, also
   * after a failure. Must not throw, and must not call back into the limiter.
   */
  open(ready: (place: P) => void): void;
  /** Takes an opened place, never in the turn of `ready`; once per request, though not in their order. */
  opened(place: P): void;
  /** The place is about to be given to the next request; closes what is left in it. Must not throw. */
  closed(place: P): void;
}

export class Limiter<P extends object> {
  readonly #pool: Pool<P>;
  readonly #opened: (place: P) => void;

  constructor(limit: number | undefined, deps: LimiterDeps<P>) {
    this.#opened = place => deps.opened(place);
    this.#pool = createPool<P>(
      {
        create: () => new Promise(resolve => deps.open(resolve)),
        destroy: place => {
          deps.closed(place);
          return Promise.resolve();
        },
      },
      // generic-pool reads `max` with parseInt: Infinity would become 1.
      { max: limit ?? Number.MAX_SAFE_INTEGER },
    );
  }

  /** Would a request be served at once? May be wrongly false for the rest of a turn, never wrongly true. */
  get hasRoom(): boolean {
    return this.#pool.spareResourceCapacity > 0;
  }

  /** Asks for one place. */
  request(): void {
    this.#pool.acquire().then(this.#opened).catch(surface);
  }

  /** Closes a place that `opened` was given, and lets the next request have it. */
  free(place: P): void {
    this.#pool.destroy(place).catch(surface);
  }
}
