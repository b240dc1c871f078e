/**
 * All that a warm pool has parked: spares, connected ahead and unused, and connections left clean by a session.
 *
 * Place: between the warm pool and its two spare lists; decides which one is lent, and which one has to go.
 * Why what was left clean is lent first: it costs no refill, its path is proven, and the spares are left for
 * when more sessions come at a time.
 * Invariants: at most `maxReused` are parked that were left clean; `evict` hears of every connection that left
 * without having been taken, after it was counted.
 */
import type { Poolable, PoolStats } from './connection-pool.ts';
import { SpareList } from './spare-list.ts';
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
  /** A connection was given up, after `ageMs`; it is the callee's to reset. */
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
  readonly #maxReused: number;
  readonly #deps: ParkedDeps<P>;
  readonly #spares: SpareList<C, P>;
  readonly #clean: SpareList<C, P>;

  constructor({ maxIdleMs, maxReused }: ParkedOptions, deps: ParkedDeps<P>) {
    this.#maxReused = maxReused;
    this.#deps = deps;
    const { setTimer } = deps;
    const now = (): number => deps.now();
    this.#spares = new SpareList(
      { maxIdleMs, greetings: 'kept' },
      { now, setTimer, gone: (place, cause, ageMs) => this.#evict(place, 'warm', cause, ageMs) },
    );
    this.#clean = new SpareList(
      { maxIdleMs, greetings: 'late' },
      { now, setTimer, gone: (place, cause, ageMs) => this.#evict(place, 'reused', cause, ageMs) },
    );
  }

  get size(): number {
    return this.#spares.size + this.#clean.size;
  }

  park(connection: C, place: P, kind: Kind): void {
    if (kind === 'warm') {
      this.#spares.park(connection, place);
      return;
    }
    if (this.#clean.size >= this.#maxReused) this.giveUpOldest();
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

  /** Evicts the connection that is the least worth its place, if any is parked. */
  giveUpOldest(): void {
    const clean = this.#clean.takeOldest();
    const oldest = clean ?? this.#spares.takeOldest();
    if (oldest === undefined) return;
    const kind = clean === undefined ? 'warm' : 'reused';
    this.#evict(oldest.place, kind, 'surplus', this.#deps.now() - oldest.sinceMs);
  }

  /** Evicts all of them. */
  drain(): void {
    const nowMs = this.#deps.now();
    for (const { place, sinceMs } of this.#clean.takeAll()) {
      this.#evict(place, 'reused', 'drained', nowMs - sinceMs);
    }
    for (const { place, sinceMs } of this.#spares.takeAll()) {
      this.#evict(place, 'warm', 'drained', nowMs - sinceMs);
    }
  }

  #evict(place: P, kind: Kind, cause: keyof Evicted, ageMs: number): void {
    this.evicted[cause]++;
    this.#deps.evict(place, kind, cause, ageMs);
  }
}
