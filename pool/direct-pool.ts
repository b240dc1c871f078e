/**
 * The pool that pools nothing: every acquire opens one connection. The default.
 *
 * Place: used for an upstream without `pool.warm` and `pool.reuse`; to the dispatcher it looks like the warm pool.
 * Why: a fresh connection is never stale, takes no slot of the backend while idle and costs one round trip.
 * Invariants:
 * - a result is passed on in the turn in which it comes;
 * - nothing is queued, parked or timed here (the limit is the backend's `maxSessions`, the timeout is the engine's);
 * - a lent connection carries its pool's mark, so that a second release is noticed.
 */
import type {
  Acquired,
  AcquireOptions,
  Cancel,
  Connect,
  ConnectionPool,
  Poolable,
  PoolStats,
} from './connection-pool.ts';
import { notLent } from './not-lent.ts';

const NOTHING_EVICTED = Object.freeze({ dead: 0, late: 0, idle: 0, surplus: 0, drained: 0 });

/** Builds a pool whose every acquire calls `connect` once; cancelling the acquire cancels that connect. */
export function createDirectPool<C extends Poolable, F>(deps: {
  readonly connect: Connect<C, F>;
}): ConnectionPool<C, F> {
  return new DirectPool(deps.connect);
}

class DirectPool<C extends Poolable, F> implements ConnectionPool<C, F> {
  readonly #connect: Connect<C, F>;
  #lent = 0;
  #opening = 0;
  #misses = 0;

  constructor(connect: Connect<C, F>) {
    this.#connect = connect;
  }

  acquire(done: (result: Acquired<C, F>) => void, options?: AcquireOptions): Cancel {
    this.#misses++;
    this.#opening++;
    let isOver = false;
    const cancel = this.#connect(
      result => {
        isOver = true;
        this.#opening--;
        if (!result.ok) {
          done(result);
          return;
        }
        this.#lent += 1;
        result.connection.lentBy = this;
        done({ ok: true, connection: result.connection, origin: 'new' });
      },
      options?.client,
      options?.own,
    );
    return () => {
      if (isOver) return;
      isOver = true;
      this.#opening--;
      cancel();
    };
  }

  release(connection: C, clean = false): void {
    if (connection.lentBy !== this) throw notLent();
    connection.lentBy = undefined;
    this.#lent -= 1;
    if (clean) connection.reset();
  }

  suspend(): void {
    // Nothing is parked and nothing is opened ahead: there is nothing to suspend.
  }

  resume(): void {
    // See suspend.
  }

  close(): void {
    // Nothing is parked; lent connections live on.
  }

  stats(): PoolStats {
    return {
      lent: this.#lent,
      opening: this.#opening,
      parked: 0,
      hits: 0,
      misses: this.#misses,
      reused: 0,
      evicted: NOTHING_EVICTED,
    };
  }
}
