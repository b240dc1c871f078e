/**
 * generic-pool behind callbacks: at most `limit` places, opened on request, requests in order; the limit may change.
 *
 * Place: the warm pool's limiter, factory and queue; the only file that knows generic-pool.
 * Rules that keep it usable (ADR 0002):
 * - `create` resolves, whatever happened, and never rejects or throws;
 * - nothing is ever returned to it: a place is used once and destroyed, and only what it lent is destroyed;
 * - not used are its `max` (read only once), its acquire timer (not unref'd), its bound on the queue (counts requests
 *   that are being served already), its evictor and its minimum (given up after one failure).
 */
import { createPool, type Pool } from 'generic-pool';
import { surface } from './surface.ts';

export interface LimiterDeps<P extends object> {
  /**
   * A place is free for a request: opens its content and calls `ready` once, then or later, also after a failure.
   * Must not throw, and must not call back into the limiter.
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
  readonly #deps: LimiterDeps<P>;
  #limit: number;
  /** Places that are open or being opened. */
  #held = 0;
  /** Requests without a place. */
  #waiting = 0;
  /** The places that generic-pool has been promised, one for each request that it has come to. */
  readonly #promised: ((place: P) => void)[] = [];

  constructor(limit: number | undefined, deps: LimiterDeps<P>) {
    this.#deps = deps;
    this.#limit = limit ?? Infinity;
    this.#opened = place => deps.opened(place);
    this.#pool = createPool<P>(
      {
        create: () =>
          new Promise(resolve => {
            this.#promised.push(resolve);
            this.#serve();
          }),
        destroy: place => {
          deps.closed(place);
          return Promise.resolve();
        },
      },
      // generic-pool reads `max` with parseInt: Infinity would become 1.
      { max: Number.MAX_SAFE_INTEGER },
    );
  }

  /** Whether a request would be served at once. */
  get hasRoom(): boolean {
    return this.#held + this.#waiting < this.#limit;
  }

  /** More places are held than the limit allows, because it was lowered. */
  get isOver(): boolean {
    return this.#held > this.#limit;
  }

  /** From now on at most `limit` places are opened; those that are open stay. Undefined: no limit. */
  setLimit(limit: number | undefined): void {
    this.#limit = limit ?? Infinity;
    this.#serve();
  }

  /** Asks for one place. */
  request(): void {
    this.#waiting += 1;
    this.#pool.acquire().then(this.#opened).catch(surface);
  }

  /** Closes a place that `opened` was given, and lets the next request have it. */
  free(place: P): void {
    this.#pool.destroy(place).catch(surface);
    this.#held -= 1;
    this.#serve();
  }

  #serve(): void {
    while (this.#held < this.#limit) {
      const ready = this.#promised.shift();
      if (ready === undefined) return;
      this.#waiting -= 1;
      this.#held += 1;
      this.#deps.open(ready);
    }
  }
}
