/**
 * The parked connections of one kind and backend: watched, youngest lent first.
 *
 * Place: guards one of the two kinds in `parked.ts`; opening and counting are the pool's.
 * Why watched: a socket without a watch notices neither FIN nor RST, and generic-pool hands out dead ones.
 * Why the youngest first: it is the least likely to have met a login timer or a middlebox's idle limit.
 * Invariants:
 * - the list is in the order of parking, so the oldest is first;
 * - there is one timer, for the oldest;
 * - what `take` gives was not known to be dead and is not older than `maxIdleMs`.
 */
import type { Cancel, Poolable } from './connection-pool.ts';
import type { SetTimer } from './timer.ts';

export interface Spare<C, P> {
  readonly connection: C;
  /** The place of the limit that it takes. */
  readonly place: P;
  readonly sinceMs: number;
}

/** Why a connection has left the list without being taken: 'late' when its peer sent bytes although it must not. */
type Gone = 'dead' | 'late' | 'idle';

export interface SpareListOptions {
  /** Read each time it is needed, so it may change. */
  readonly maxIdleMs: number;
  /** Bytes from the peer: 'kept' for the session as a greeting, or 'late', which ends a connection left clean. */
  readonly greetings: 'kept' | 'late';
}

export interface SpareListDeps<P> {
  now(): number;
  readonly setTimer: SetTimer;
  /** A connection has left the list after `ageMs`; the receiver of this call resets it. */
  gone(place: P, cause: Gone, ageMs: number): void;
}

export class SpareList<C extends Poolable, P> {
  readonly #options: SpareListOptions;
  readonly #deps: SpareListDeps<P>;
  readonly #spares: Spare<C, P>[] = [];
  #cancelTimer: Cancel | undefined;

  constructor(options: SpareListOptions, deps: SpareListDeps<P>) {
    this.#options = options;
    this.#deps = deps;
  }

  get size(): number {
    return this.#spares.length;
  }

  /** Parks a connection and watches it. What the peer sends meanwhile stays with the connection. */
  park(connection: C, place: P): void {
    const spare = { connection, place, sinceMs: this.#deps.now() };
    this.#spares.push(spare);
    connection.watch(change => {
      if (change === 'dead') this.#changed(spare, 'dead');
      else if (this.#options.greetings === 'late') this.#changed(spare, 'late');
    });
    this.#armTimer();
  }

  /** The youngest connection, no longer watched; undefined when there is none. */
  take(): Spare<C, P> | undefined {
    // The timer may be late: after a blocked event loop or a sleeping machine.
    this.#evictExpired();
    const youngest = this.#spares.pop();
    youngest?.connection.unwatch();
    return youngest;
  }

  /** The oldest connection, no longer watched; undefined when there is none. */
  takeOldest(): Spare<C, P> | undefined {
    const oldest = this.#spares.shift();
    oldest?.connection.unwatch();
    return oldest;
  }

  /** Takes the oldest ones, no longer watched, until at most `most` are left. */
  takeBeyond(most: number): Spare<C, P>[] {
    const taken = this.#spares.splice(0, Math.max(this.#spares.length - most, 0));
    for (const { connection } of taken) connection.unwatch();
    return taken;
  }

  /** Takes all of them, no longer watched. */
  takeAll(): Spare<C, P>[] {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    return this.takeBeyond(0);
  }

  /** To be called when `maxIdleMs` has changed. */
  recheck(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#evictExpired();
    this.#armTimer();
  }

  #changed(spare: Spare<C, P>, cause: 'dead' | 'late'): void {
    const index = this.#spares.indexOf(spare);
    // An engine may still report a change of a connection that has just been taken.
    if (index === -1) return;
    this.#spares.splice(index, 1);
    // A dead connection's watch is over by itself.
    if (cause === 'late') spare.connection.unwatch();
    this.#deps.gone(spare.place, cause, this.#deps.now() - spare.sinceMs);
  }

  #evictExpired(): void {
    const nowMs = this.#deps.now();
    for (;;) {
      const oldest = this.#spares[0];
      if (oldest === undefined || nowMs - oldest.sinceMs < this.#options.maxIdleMs) return;
      this.#spares.shift();
      oldest.connection.unwatch();
      this.#deps.gone(oldest.place, 'idle', nowMs - oldest.sinceMs);
    }
  }

  #armTimer(): void {
    const oldest = this.#spares[0];
    if (oldest === undefined || this.#cancelTimer !== undefined) return;
    const restMs = oldest.sinceMs + this.#options.maxIdleMs - this.#deps.now();
    this.#cancelTimer = this.#deps.setTimer(
      () => {
        this.#cancelTimer = undefined;
        this.#evictExpired();
        this.#armTimer();
      },
      Math.max(1, Math.ceil(restMs)),
    );
  }
}
