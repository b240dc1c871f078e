/**
 * What a warm pool is configured with (options, their defaults and their check, and which may change) and what it is
 * given (dependencies).
 *
 * Place: read by `createWarmPool`; invalid options throw there and never reach the data path.
 */
import type { BackoffOptions } from './backoff.ts';
import type { Connect, ConnectionPool, EvictionCause, Poolable } from './connection-pool.ts';
import { MAX_TIMER_MS, type SetTimer } from './timer.ts';

export interface WarmPoolOptions {
  /** Spares wanted, an integer ≥ 1; with `reuse` also 0. */
  readonly warm: number;
  /** Park connections that sessions release clean, and lend them again. Default: false. */
  readonly reuse?: boolean;
  /** Connections left clean that are parked at a time, an integer ≥ 1. Default: 128. */
  readonly maxReused?: number;
  /** A connection that has been parked this long is destroyed, in milliseconds. */
  readonly maxIdleMs: number;
  /** Connections to the backend at most: lent, parked and being opened. Undefined: no limit. */
  readonly limit?: number | undefined;
  /** Acquires that may wait for a place of the limit, an integer ≥ 0; one more fails at once. */
  readonly maxWaiting: number;
  /** The longest time from acquire to connection, queueing and connecting together, in milliseconds. */
  readonly acquireTimeoutMs: number;
  /** The waits between refills that fail. Default: 100 ms to 10 s. */
  readonly backoff?: BackoffOptions;
}

/** What may change while a warm pool is in use. */
export type WarmPoolChanges = Partial<
  Pick<WarmPoolOptions, 'warm' | 'reuse' | 'maxIdleMs' | 'limit' | 'acquireTimeoutMs'>
>;

export interface WarmPool<C extends Poolable, F> extends ConnectionPool<C, F> {
  /**
   * Takes over other options at once: what is parked beyond them is given up, what is lent stays lent, and waiting
   * acquires get the places of a higher limit. Throws a RangeError for an option out of range; then nothing changes.
   */
  adjust(changes: WarmPoolChanges): void;
}

export interface WarmPoolDeps<C, F> {
  /** Opens one connection, with a timeout of its own; must not throw. */
  readonly connect: Connect<C, F>;
  /** Monotonic time in milliseconds. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Default: global setTimeout, unref'd. */
  readonly setTimer?: SetTimer;
  /** A parked connection was destroyed: called once for each of those that `stats` counts. */
  onEvicted?(cause: EvictionCause): void;
  /** The values of the failures that are the pool's own. */
  readonly failures: {
    /** No connection within `acquireTimeoutMs`. */
    readonly timeout: F;
    /** The limit is reached and `maxWaiting` acquires wait already. */
    readonly full: F;
  };
}

/** As many as sessions may end at a time; a parked connection costs both sides a descriptor. */
export const DEFAULT_MAX_REUSED = 128;

export const DEFAULT_BACKOFF: BackoffOptions = Object.freeze({ firstMs: 100, maxMs: 10_000 });

/** Throws a RangeError that names the option, the range and the value. */
export function checkWarmPoolOptions(options: WarmPoolOptions): void {
  const { firstMs, maxMs } = options.backoff ?? DEFAULT_BACKOFF;
  checkInteger('warm', options.warm, options.reuse === true ? 0 : 1);
  checkInteger('maxReused', options.maxReused ?? DEFAULT_MAX_REUSED, 1);
  checkDelay('maxIdleMs', options.maxIdleMs, 1);
  if (options.limit !== undefined) checkInteger('limit', options.limit, 1);
  checkInteger('maxWaiting', options.maxWaiting, 0);
  checkDelay('acquireTimeoutMs', options.acquireTimeoutMs, 1);
  checkDelay('backoff.firstMs', firstMs, 1);
  checkDelay('backoff.maxMs', maxMs, firstMs);
}

function checkInteger(name: string, value: number, lowest: number): void {
  if (Number.isSafeInteger(value) && value >= lowest) return;
  throw new RangeError(`warm pool: ${name} must be an integer from ${lowest} on, got ${value}`);
}

function checkDelay(name: string, value: number, lowest: number): void {
  if (value >= lowest && value <= MAX_TIMER_MS) return;
  throw new RangeError(`warm pool: ${name} must be from ${lowest} to ${MAX_TIMER_MS} ms, got ${value}`);
}
