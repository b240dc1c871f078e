/**
 * What `pool/` offers: the contract and its two implementations.
 *
 * Place: the data plane builds one pool per backend from here; the package exports it as `lb4-balancer/pool`. Nothing
 * else in `pool/` is imported from outside.
 */
export type {
  Acquired,
  AcquireOptions,
  Cancel,
  Connect,
  Connected,
  ConnectionPool,
  EvictionCause,
  OwnConnect,
  Poolable,
  PoolStats,
} from './connection-pool.ts';
export { createDirectPool } from './direct-pool.ts';
export type { BackoffOptions } from './backoff.ts';
export type { SetTimer } from './timer.ts';
export type { WarmPool, WarmPoolChanges, WarmPoolDeps, WarmPoolOptions } from './warm-options.ts';
export { createWarmPool } from './warm-pool.ts';
