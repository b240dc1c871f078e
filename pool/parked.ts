/**
 * All that a warm pool has parked: spares, connected ahead and unused, and connections left clean by a session.
 *
 * Place: between the warm pool and its two spare lists; decides which connection is lent, and which one has to go.
 * Why those left clean are lent first: they cost no refill, their path is proven, and the spares remain for when more
 * sessions come at a time.
 * Invariants:
 * - at most `maxReused` connections left clean are parked, and after `trim` at most the number given for each kind;
 * - `evict` is called for every connection that left without having been taken, after it was counted.
 */
import type { Poolable, PoolStats } from './connection-pool.ts';
import { SpareList, type Spare } from './spare-list.ts';
import type { SetTimer } from './timer.ts';

export type Kind = 'warm' | 'reused';
export type Evicted = PoolStats['evicted'];

export interface ParkedOptions {
  readonly maxIdleMs: number;
  readonly maxReused: number;
}

export interface ParkedDeps<P> {
  now(): number;
  readonly setTimer: SetTimer;
  /** A connection was given up, after `ageMs`; the receiver of this call resets it. */
  evict(place: P, kind: Kind, cause: keyof Evicted, ageMs: number): void;
}

export class Parked<C extends Poolable, P> {
  readonly evicted: { -readonly [cause in keyof Evicted]: number } = {
    dead: 0,
    late: 0,
    idle: 0,
    surplus: 0,
    drained: 0,
  };
  readonly #options: { maxIdleMs: number; readonly maxReused: number };
  readonly #deps: ParkedDeps<P>;
  readonly #spares: SpareList<C, P>;
  readonly #clean: SpareList<C, P>;

  constructor(options: ParkedOptions, deps: ParkedDeps<P>) {
    const own = { ...options };
    this.#options = own;
    this.#deps = deps;
    const { setTimer } = deps;
    const now = (): number => deps.now();
    const ownIdle = (greetings: 'kept' | 'late') => ({
      greetings,
      get maxIdleMs(): number {
        return own.maxIdleMs;
      },
    });
    this.#spares = new SpareList(ownIdle('kept'), {
      now,
      setTimer,
      gone: (place, cause, ageMs) => this.#evict(place, 'warm', cause, ageMs),
    });
    this.#clean = new SpareList(ownIdle('late'), {
      now,
      setTimer,
      gone: (place, cause, ageMs) => this.#evict(place, 'reused', cause, ageMs),
    });
  }

  get size(): number {
    return this.#spares.size + this.#clean.size;
  }

  park(connection: C, place: P, kind: Kind): void {
    if (kind === 'warm') {
      this.#spares.park(connection, place);
      return;
    }
    if (this.#clean.size >= this.#options.maxReused) this.giveUpOldest();
    this.#clean.park(connection, place);
  }

  /** The connection to lend next, no longer watched; undefined when there is none. */
  take(): { readonly connection: C; readonly place: P; readonly kind: Kind } | undefined {
    const clean = this.#clean.take();
    if (clean !== undefined) return { connection: clean.connection, place: clean.place, kind: 'reused' };
    const spare = this.#spares.take();
    return spare === undefined
      ? undefined
      : { connection: spare.connection, place: spare.place, kind: 'warm' };
  }

  /** Evicts the connection that is least worth its place, if any is parked. */
  giveUpOldest(): void {
    const clean = this.#clean.takeOldest();
    const oldest = clean ?? this.#spares.takeOldest();
    if (oldest === undefined) return;
    const kind = clean === undefined ? 'warm' : 'reused';
    this.#evict(oldest.place, kind, 'surplus', this.#deps.now() - oldest.sinceMs);
  }

  /** From now on a connection parked for `maxIdleMs` is given up, also one that is parked already. */
  setMaxIdle(maxIdleMs: number): void {
    this.#options.maxIdleMs = maxIdleMs;
    this.#spares.recheck();
    this.#clean.recheck();
  }

  /** Evicts the oldest of each kind until at most `most` are left. */
  trim(most: { readonly warm: number; readonly reused: number }): void {
    this.#evictAll(this.#clean.takeBeyond(most.reused), 'reused', 'surplus');
    this.#evictAll(this.#spares.takeBeyond(most.warm), 'warm', 'surplus');
  }

  /** Evicts all of them. */
  drain(): void {
    this.#evictAll(this.#clean.takeAll(), 'reused', 'drained');
    this.#evictAll(this.#spares.takeAll(), 'warm', 'drained');
  }

  #evictAll(spares: readonly Spare<C, P>[], kind: Kind, cause: keyof Evicted): void {
    const nowMs = this.#deps.now();
    for (const { place, sinceMs } of spares) this.#evict(place, kind, cause, nowMs - sinceMs);
  }

  #evict(place: P, kind: Kind, cause: keyof Evicted, ageMs: number): void {
    this.evicted[cause]++;
    this.#deps.evict(place, kind, cause, ageMs);
  }
}
