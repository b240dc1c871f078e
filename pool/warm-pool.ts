/**
 * The pool of spare connections: connected ahead, unused, watched, each lent to exactly one session.
 *
 * Place: used for an upstream with `pool.warm` > 0, one per backend; pool/README.md says when that helps.
 * An acquire takes the youngest live spare at once, or waits in `#queued` for a place of the limit and then in
 * `#connecting` for its own connect; a refill that completes meanwhile serves it sooner.
 * Invariants: lent + parked + being opened ≤ `limit`; parked ≤ `warm`; one refill at a time, and none while an
 * acquire waits for a place; a failed connect ends exactly the acquire it was made for; whatever `done` is told
 * is true before it is called, so it may call the pool; every connection is lent, parked or reset.
 * Why so, with figures: docs/adr/0002-failure-values-in-the-pool.md.
 */
import { Attempt } from './attempt.ts';
import { Backoff } from './backoff.ts';
import type { Acquired, Cancel, ConnectionPool, Poolable, PoolStats } from './connection-pool.ts';
import { Limiter } from './limiter.ts';
import { notLent } from './not-lent.ts';
import { SpareList } from './spare-list.ts';
import { setUnrefTimer, type SetTimer } from './timer.ts';
import {
  checkWarmPoolOptions,
  DEFAULT_BACKOFF,
  type WarmPoolDeps,
  type WarmPoolOptions,
} from './warm-options.ts';

/**
 * A spare that dies sooner than this counts as a failed connect, so that a backend which closes every
 * connection at once is not hammered; one that dies later is replaced at once.
 */
const YOUNG_MS = 1_000;

/** An acquire that has not been served yet. */
interface Waiter<C, F> {
  readonly done: (result: Acquired<C, F>) => void;
  readonly cancelTimer: Cancel;
}

type WarmAttempt<C extends Poolable, F> = Attempt<C, F, Waiter<C, F>>;

/** Builds a warm pool and starts to fill it. Throws a RangeError for an option out of range. */
export function createWarmPool<C extends Poolable, F>(
  options: WarmPoolOptions,
  deps: WarmPoolDeps<C, F>,
): ConnectionPool<C, F> {
  checkWarmPoolOptions(options);
  return new WarmPool(options, deps);
}

class WarmPool<C extends Poolable, F> implements ConnectionPool<C, F> {
  readonly #options: WarmPoolOptions;
  readonly #deps: WarmPoolDeps<C, F>;
  readonly #setTimer: SetTimer;
  readonly #limiter: Limiter<WarmAttempt<C, F>>;
  readonly #spares: SpareList<C, WarmAttempt<C, F>>;
  readonly #backoff: Backoff;
  readonly #lent = new Map<C, WarmAttempt<C, F>>();
  /** Acquires without a place, and those whose connect is under way; both oldest first. */
  readonly #queued = new Set<Waiter<C, F>>();
  readonly #connecting = new Map<Waiter<C, F>, WarmAttempt<C, F>>();
  #state: 'open' | 'suspended' | 'closed' = 'open';
  /** The attempt that is to become a spare, or 'requested' while it waits for its place. */
  #refill: WarmAttempt<C, F> | 'requested' | undefined;
  /** Attempts from the moment they have a place until `#settled`. */
  #inFlight = 0;
  /** Requests in the limiter's queue whose acquire has left; the next ones use them. */
  #surplus = 0;
  #hits = 0;
  #misses = 0;
  readonly #evicted = { dead: 0, idle: 0, drained: 0 };

  constructor(options: WarmPoolOptions, deps: WarmPoolDeps<C, F>) {
    const setTimer = deps.setTimer ?? setUnrefTimer;
    this.#options = options;
    this.#deps = deps;
    this.#setTimer = setTimer;
    this.#limiter = new Limiter(options.limit, {
      open: ready => this.#open(ready),
      opened: attempt => this.#settled(attempt),
      closed: attempt => attempt.close(),
    });
    this.#spares = new SpareList(options.maxIdleMs, {
      now: () => deps.now(),
      setTimer,
      gone: (attempt, cause, ageMs) => this.#spareGone(attempt, cause, ageMs),
    });
    this.#backoff = new Backoff(
      options.backoff ?? DEFAULT_BACKOFF,
      { random: () => deps.random(), setTimer },
      () => this.#fill(),
    );
    this.#fill();
  }

  acquire(done: (result: Acquired<C, F>) => void): Cancel {
    const spare = this.#spares.take();
    if (spare !== undefined) {
      this.#hits++;
      this.#backoff.succeeded();
      this.#lend(spare.place, spare.connection, done, true);
      return NOTHING_TO_CANCEL;
    }
    this.#misses++;
    if (this.#isFull()) {
      done({ ok: false, failure: this.#deps.failures.full });
      return NOTHING_TO_CANCEL;
    }
    const waiter: Waiter<C, F> = {
      done,
      cancelTimer: this.#setTimer(() => {
        this.#leave(waiter);
        done({ ok: false, failure: this.#deps.failures.timeout });
      }, this.#options.acquireTimeoutMs),
    };
    this.#queued.add(waiter);
    if (this.#surplus > 0) this.#surplus--;
    else this.#limiter.request();
    return () => this.#leave(waiter);
  }

  release(connection: C): void {
    const attempt = this.#lent.get(connection);
    if (attempt === undefined) throw notLent();
    this.#lent.delete(connection);
    this.#limiter.free(attempt);
    this.#fill();
  }

  suspend(): void {
    if (this.#state !== 'open') return;
    this.#state = 'suspended';
    this.#drain();
  }

  resume(): void {
    if (this.#state !== 'suspended') return;
    this.#state = 'open';
    this.#backoff.succeeded();
    this.#fill();
  }

  close(): void {
    this.#state = 'closed';
    this.#drain();
  }

  stats(): PoolStats {
    return {
      lent: this.#lent.size,
      parked: this.#spares.size,
      hits: this.#hits,
      misses: this.#misses,
      evicted: { ...this.#evicted },
    };
  }

  /** The limiter has a place: decides what to connect for. Must not call the limiter. */
  #open(ready: (attempt: WarmAttempt<C, F>) => void): void {
    const attempt: WarmAttempt<C, F> = new Attempt(ready);
    this.#inFlight++;
    const waiter = this.#queued.values().next().value;
    if (waiter !== undefined) {
      this.#queued.delete(waiter);
      this.#connecting.set(waiter, attempt);
      attempt.owner = waiter;
    } else if (this.#refill === 'requested') {
      this.#refill = attempt;
    } else {
      this.#surplus--;
      attempt.withdraw();
      return;
    }
    attempt.start(this.#deps.connect, this.#deps.failures.timeout);
  }

  /** An attempt has come to its end: with a connection, with a failure, or withdrawn. */
  #settled(attempt: WarmAttempt<C, F>): void {
    const { outcome, owner } = attempt;
    const isRefill = attempt === this.#refill;
    this.#inFlight--;
    if (isRefill) this.#refill = undefined;

    if (outcome?.ok === true) {
      this.#connected(attempt, outcome.connection);
      return;
    }
    this.#limiter.free(attempt);
    if (isRefill) this.#backoff.failed();
    if (owner === undefined || outcome === undefined) {
      this.#fill();
      return;
    }
    this.#connecting.delete(owner);
    owner.cancelTimer();
    this.#finish(owner.done, outcome);
  }

  /** Gives a new connection to the acquire it was made for, else to one that waits, else parks it. */
  #connected(attempt: WarmAttempt<C, F>, connection: C): void {
    const { owner } = attempt;
    // A queued acquire before a connecting one, whose own connect would be wasted.
    const waiter = owner ?? this.#queued.values().next().value ?? this.#connecting.keys().next().value;
    if (waiter === undefined) {
      this.#spares.park(connection, attempt);
      this.#fill();
      return;
    }
    if (waiter === owner) {
      this.#connecting.delete(waiter);
      waiter.cancelTimer();
    } else {
      this.#leave(waiter);
    }
    this.#lend(attempt, connection, waiter.done, false);
  }

  #lend(
    attempt: WarmAttempt<C, F>,
    connection: C,
    done: (result: Acquired<C, F>) => void,
    warm: boolean,
  ): void {
    attempt.handOver();
    this.#lent.set(connection, attempt);
    this.#finish(done, { ok: true, connection, origin: warm ? 'warm' : 'new' });
  }

  /** The session first: opening a spare takes longer than handing one over. */
  #finish(done: (result: Acquired<C, F>) => void, result: Acquired<C, F>): void {
    try {
      done(result);
    } finally {
      this.#fill();
    }
  }

  /** An acquire no longer waits: cancelled, timed out or served otherwise. Without effect once it is done. */
  #leave(waiter: Waiter<C, F>): void {
    waiter.cancelTimer();
    if (this.#queued.delete(waiter)) {
      this.#surplus++;
      return;
    }
    const attempt = this.#connecting.get(waiter);
    if (attempt === undefined) return;
    this.#connecting.delete(waiter);
    attempt.owner = undefined;
    if (this.#wantsSpare()) this.#refill = attempt;
    else attempt.withdraw();
  }

  #spareGone(attempt: WarmAttempt<C, F>, cause: 'dead' | 'idle', ageMs: number): void {
    this.#evicted[cause]++;
    this.#limiter.free(attempt);
    if (cause === 'dead' && ageMs < YOUNG_MS) this.#backoff.failed();
    else this.#backoff.succeeded();
    this.#fill();
  }

  /** Starts a refill, if one is wanted and has room. Each refill that ends calls for the next one. */
  #fill(): void {
    if (!this.#wantsSpare() || !this.#limiter.hasRoom) return;
    this.#refill = 'requested';
    this.#limiter.request();
  }

  #wantsSpare(): boolean {
    return (
      this.#state === 'open' &&
      this.#refill === undefined &&
      !this.#backoff.isWaiting &&
      this.#queued.size === 0 &&
      this.#spares.size < this.#options.warm
    );
  }

  /** Must one more acquire be refused? Attempts without an owner end in a connection or a free place: they count. */
  #isFull(): boolean {
    const unowned = this.#inFlight - this.#connecting.size;
    return this.#queued.size >= this.#options.maxWaiting + unowned && !this.#limiter.hasRoom;
  }

  /** Destroys what is parked and stops the refill. */
  #drain(): void {
    for (const spare of this.#spares.takeAll()) {
      this.#evicted.drained++;
      this.#limiter.free(spare.place);
    }
    this.#backoff.stop();
    const refill = this.#refill;
    this.#refill = undefined;
    if (refill === 'requested') this.#surplus++;
    else refill?.withdraw();
  }
}

const NOTHING_TO_CANCEL: Cancel = () => {
  // The acquire was done before it returned.
};
