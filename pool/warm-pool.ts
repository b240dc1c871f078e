/**
 * The pool that parks connections: spares, connected ahead and unused, and, with `reuse`, those that sessions
 * have left clean; watched, each lent to one session at a time.
 *
 * Place: used for an upstream with `pool.warm` > 0 or `pool.reuse`, one per backend; pool/README.md explains when that
 * helps. An acquire takes the youngest live parked connection at once, or waits in `#queued` for a place of the limit
 * and then in `#connecting` for its own connect; a refill that completes meanwhile serves it sooner.
 * Invariants (reasons and figures: docs/adr/0002-failure-values-in-the-pool.md):
 * - lent + parked + being opened ≤ `limit`; spares ≤ `warm`, left clean ≤ `maxReused`;
 * - one refill at a time, and none while an acquire waits for a place;
 * - a failed connect ends exactly the acquire it was made for;
 * - the pool is up to date before `done` is called, so `done` may call the pool;
 * - every connection is lent, parked or reset.
 */
import { Attempt } from './attempt.ts';
import { Backoff } from './backoff.ts';
import type { Acquired, Cancel, Poolable, PoolStats } from './connection-pool.ts';
import { Limiter } from './limiter.ts';
import { notLent } from './not-lent.ts';
import { type Evicted, type Kind, Parked } from './parked.ts';
import { setUnrefTimer, type SetTimer } from './timer.ts';
import {
  checkWarmPoolOptions,
  DEFAULT_BACKOFF,
  DEFAULT_MAX_REUSED,
  type WarmPool,
  type WarmPoolChanges,
  type WarmPoolDeps,
  type WarmPoolOptions,
} from './warm-options.ts';

/**
 * A spare that dies sooner than this counts as a failed connect, so that a backend which closes every connection at
 * once is not hammered; one that dies later is replaced at once.
 */
const YOUNG_MS = 1_000;

/** An acquire that has not been served yet. */
interface Waiter<C, F> {
  readonly done: (result: Acquired<C, F>) => void;
  /** Its connection must not have been parked or used before. */
  readonly fresh: boolean;
  readonly cancelTimer: Cancel;
}

type WarmAttempt<C extends Poolable, F> = Attempt<C, F, Waiter<C, F>>;

/** Builds a warm pool and starts to fill it. Throws a RangeError for an option out of range. */
export function createWarmPool<C extends Poolable, F>(
  options: WarmPoolOptions,
  deps: WarmPoolDeps<C, F>,
): WarmPool<C, F> {
  checkWarmPoolOptions(options);
  return new ParkingPool(options, deps);
}

class ParkingPool<C extends Poolable, F> implements WarmPool<C, F> {
  #options: WarmPoolOptions;
  readonly #deps: WarmPoolDeps<C, F>;
  readonly #setTimer: SetTimer;
  readonly #limiter: Limiter<WarmAttempt<C, F>>;
  readonly #parked: Parked<C, WarmAttempt<C, F>>;
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
  /** Requests in the limiter's queue with no acquire any more; the next acquires use them. */
  #surplus = 0;
  readonly #counted = { hits: 0, misses: 0, reused: 0 };

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
    this.#parked = new Parked(
      { maxIdleMs: options.maxIdleMs, maxReused: options.maxReused ?? DEFAULT_MAX_REUSED },
      {
        now: () => deps.now(),
        setTimer,
        evict: (attempt, kind, cause, ageMs) => this.#evicted(attempt, kind, cause, ageMs),
      },
    );
    this.#backoff = new Backoff(
      options.backoff ?? DEFAULT_BACKOFF,
      { random: () => deps.random(), setTimer },
      () => this.#fill(),
    );
    this.#fill();
  }

  acquire(
    done: (result: Acquired<C, F>) => void,
    { fresh = false }: { readonly fresh?: boolean } = {},
  ): Cancel {
    const parked = fresh ? undefined : this.#parked.take();
    if (parked !== undefined) {
      this.#counted.hits++;
      if (parked.kind === 'warm') this.#backoff.succeeded();
      this.#lend(parked.place, parked.connection, done, parked.kind);
      return NOTHING_TO_CANCEL;
    }
    this.#counted.misses++;
    // What is parked must not keep a fresh connection waiting.
    if (fresh && !this.#limiter.hasRoom) this.#parked.giveUpOldest();
    if (this.#isFull()) {
      done({ ok: false, failure: this.#deps.failures.full });
      return NOTHING_TO_CANCEL;
    }
    const waiter: Waiter<C, F> = {
      done,
      fresh,
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

  release(connection: C, clean = false): void {
    const attempt = this.#lent.get(connection);
    if (attempt === undefined) throw notLent();
    this.#lent.delete(connection);
    if (clean) {
      attempt.takeBack(connection);
      if (this.#reuse(attempt, connection)) return;
    }
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

  adjust(changes: WarmPoolChanges): void {
    const options = { ...this.#options, ...changes };
    checkWarmPoolOptions(options);
    const before = this.#options;
    this.#options = options;
    if (options.maxIdleMs !== before.maxIdleMs) this.#parked.setMaxIdle(options.maxIdleMs);
    this.#parked.trim({ warm: options.warm, reused: options.reuse === true ? Infinity : 0 });
    if (options.limit !== before.limit) this.#limiter.setLimit(options.limit);
    if (this.#parked.size >= options.warm || this.#limiter.isOver) this.#dropRefill();
    while (this.#limiter.isOver && this.#parked.size > 0) this.#parked.giveUpOldest();
    this.#fill();
  }

  stats(): PoolStats {
    const [lent, parked] = [this.#lent.size, this.#parked.size];
    return { lent, opening: this.#inFlight, parked, ...this.#counted, evicted: { ...this.#parked.evicted } };
  }

  /** Lends or parks a connection that its session has left clean; false if the connection is of no use. */
  #reuse(attempt: WarmAttempt<C, F>, connection: C): boolean {
    if (this.#options.reuse !== true || this.#state !== 'open') return false;
    const waiter = this.#queued.values().next().value;
    if (waiter === undefined) {
      this.#parked.park(connection, attempt, 'reused');
      return true;
    }
    // A fresh connection needs the place.
    if (waiter.fresh) return false;
    this.#leave(waiter);
    this.#lend(attempt, connection, waiter.done, 'reused');
    return true;
  }

  /** The limiter has a place: decides which connect it is for. Must not call the limiter. */
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

  /** An attempt has ended: with a connection, with a failure, or withdrawn. */
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
    // A queued acquire before a connecting one: the latter's own connect would be wasted.
    const waiter = owner ?? this.#queued.values().next().value ?? this.#connecting.keys().next().value;
    if (waiter === undefined) {
      this.#parked.park(connection, attempt, 'warm');
      this.#fill();
      return;
    }
    if (waiter === owner) {
      this.#connecting.delete(waiter);
      waiter.cancelTimer();
    } else {
      this.#leave(waiter);
    }
    this.#lend(attempt, connection, waiter.done, 'new');
  }

  #lend(
    attempt: WarmAttempt<C, F>,
    connection: C,
    done: (result: Acquired<C, F>) => void,
    origin: 'new' | Kind,
  ): void {
    attempt.handOver();
    this.#lent.set(connection, attempt);
    if (origin === 'reused') this.#counted.reused++;
    this.#finish(done, { ok: true, connection, origin });
  }

  /** The session gets its connection first, because opening a spare takes longer than handing one over. */
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

  /** A parked connection was given up: resets it, and lets others have its place. */
  #evicted(attempt: WarmAttempt<C, F>, kind: Kind, cause: keyof Evicted, ageMs: number): void {
    this.#deps.onEvicted?.(cause);
    this.#limiter.free(attempt);
    // Another connection gets its place, or nothing is opened any more.
    if (cause === 'surplus' || cause === 'drained') return;
    if (kind === 'warm') {
      if (cause === 'dead' && ageMs < YOUNG_MS) this.#backoff.failed();
      else this.#backoff.succeeded();
    }
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
      this.#parked.size < this.#options.warm
    );
  }

  /** Whether one more acquire is refused. Attempts without an owner count: they end in a connection or a free place. */
  #isFull(): boolean {
    const unowned = this.#inFlight - this.#connecting.size;
    return this.#queued.size >= this.#options.maxWaiting + unowned && !this.#limiter.hasRoom;
  }

  /** Destroys what is parked and stops the refill. */
  #drain(): void {
    this.#parked.drain();
    this.#backoff.stop();
    this.#dropRefill();
  }

  #dropRefill(): void {
    const refill = this.#refill;
    this.#refill = undefined;
    if (refill === 'requested') this.#surplus++;
    else refill?.withdraw();
  }
}

const NOTHING_TO_CANCEL: Cancel = () => {
  // The acquire was done before it returned.
};
