/**
 * The contract of a connection pool: the source of a session's connection to one backend.
 *
 * Place: `pool/` is a leaf: it imports nothing from `src/` and can be used by itself. One pool per backend
 * per data plane; the dispatcher acquires after the pick and before the relay.
 * Why callbacks: on the data path an acquire may complete in the same turn, and a promise would delay it
 * past the end of the event loop's turn.
 * Invariants:
 * - a connection is given to one session at a time, and parked again after a session only when that session left it
 *   clean and the pool was made to reuse;
 * - `done` is called exactly once, or never if the acquire was cancelled;
 * - a failed connect is a value, not a throw, and costs exactly one connect attempt.
 */

/** What a pool must be able to do with a connection; the engine's connections satisfy it structurally. */
export interface Poolable {
  /** The pool that lends it at the moment; written by that pool only. */
  lentBy?: unknown;
  /**
   * Watches a parked connection: `onChange` is called when the peer sends something ('readable'; the bytes stay with
   * the connection and reach the session) and when the connection can no longer serve a session ('dead': closed,
   * half-closed or reset by the peer). 'dead' comes at most once and last.
   */
  watch(onChange: (change: 'readable' | 'dead') => void): void;
  /** Ends the watch, before the connection is handed to a session. */
  unwatch(): void;
  /** Closes the connection without ceremony; idempotent. */
  reset(): void;
}

export type Connected<C, F> =
  { readonly ok: true; readonly connection: C } | { readonly ok: false; readonly failure: F };

export type Acquired<C, F> =
  | {
      readonly ok: true;
      readonly connection: C;
      /** It was parked: connected ahead ('warm') or left clean by an earlier session ('reused'). */
      readonly origin: 'new' | 'warm' | 'reused';
    }
  | { readonly ok: false; readonly failure: F };

/** Withdraws a request; idempotent; without effect once the request is done. */
export type Cancel = () => void;

/**
 * Opens one connection; calls `done` exactly once, asynchronously or at once, unless cancelled. `client`: whom it is for,
 * where the one who acquires has said so; `own`: what it is made with for this client alone.
 */
export type Connect<C, F> = (
  done: (result: Connected<C, F>) => void,
  client?: string,
  own?: OwnConnect,
) => Cancel;

/** What a connection is made with for one client, which no other may have. */
export interface OwnConnect {
  /** Bytes that the peer gets before anything else. */
  readonly preface?: Uint8Array;
  /** Protocols that are offered to the peer (ALPN). */
  readonly alpn?: readonly string[];
}

export interface AcquireOptions {
  readonly fresh?: boolean;
  /** Passed on to `connect` by a pool that parks nothing; others lend what they have to any client. */
  readonly client?: string;
  /** The same. */
  readonly own?: OwnConnect;
}

/** Why a parked connection was destroyed. */
export type EvictionCause = keyof PoolStats['evicted'];

export interface PoolStats {
  /** Connections lent to sessions. */
  readonly lent: number;
  /** Connects under way, for sessions or for spares. */
  readonly opening: number;
  /** Connections ready to be lent: spare ones, and those left clean by a session. */
  readonly parked: number;
  /** Acquires served from a parked connection (`hits`), and those that had to connect (`misses`). */
  readonly hits: number;
  readonly misses: number;
  /** Of the hits, those with a connection that an earlier session had left clean. */
  readonly reused: number;
  /** Parked connections destroyed, by cause. */
  readonly evicted: {
    /** The peer closed, half-closed or reset it. */
    readonly dead: number;
    /** The peer sent something on a connection left clean, so it was not clean after all. */
    readonly late: number;
    /** Parked for too long. */
    readonly idle: number;
    /** Its place was needed: for a connection left clean more recently, or for a fresh one. */
    readonly surplus: number;
    /** The pool was suspended or closed. */
    readonly drained: number;
  };
}

export interface ConnectionPool<C extends Poolable, F> {
  /**
   * Lends a connection: a parked one when there is a live one, else a freshly opened one; with `fresh` always a
   * freshly opened one, for a session whose parked connection turned out to be dead.
   */
  acquire(done: (result: Acquired<C, F>) => void, options?: AcquireOptions): Cancel;
  /**
   * Ends the session's use of a lent connection; exactly once per lent connection. `clean`: it lives and nothing is in
   * flight, so it may serve another session; the pool parks it or resets it. Otherwise (default) the relay has
   * closed it.
   */
  release(connection: C, clean?: boolean): void;
  /** The backend is down: destroys what is parked, and opens no spares until `resume`. Acquires still work. */
  suspend(): void;
  resume(): void;
  /** Destroys what is parked and opens no spares any more, for good; lent connections live on. Idempotent. */
  close(): void;
  stats(): PoolStats;
}
