/**
 * Chooses a backend's pool: direct connections, or one that parks connections where the upstream asks for it.
 *
 * Place: the one file that knows both `pool/`'s options and the data plane's settings.
 */
import { createDirectPool, createWarmPool } from '../../pool/index.ts';
import type { SetTimer } from '../support/timer.ts';
import type { BackendPool, ConnectBackend } from './backend-runtime.ts';

export interface PoolSettings {
  /** Spare connections to keep per backend; 0 for none. */
  readonly warm: number;
  /** A connection that has been parked this long is reset. */
  readonly maxIdleMs: number;
  /** Park connections that sessions leave clean, for other sessions. */
  readonly reuse: boolean;
}

export interface BackendPoolSettings extends PoolSettings {
  /** The backend's own limit; parked connections count towards it. */
  readonly maxSessions: number | undefined;
  readonly connectTimeoutMs: number;
}

/** A session waits in the pool only while a spare is being opened at the backend's limit: a few at most. */
const MAX_WAITING = 64;
/** Beyond the engine's own connect timeout, so that the engine's more exact failure comes first. */
const ACQUIRE_GRACE_MS = 1_000;

export function createBackendPool(
  settings: BackendPoolSettings,
  connect: ConnectBackend,
  deps: { now(): number; random(): number; readonly setTimer: SetTimer },
): BackendPool {
  if (settings.warm === 0 && !settings.reuse) return createDirectPool({ connect });
  return createWarmPool(
    {
      warm: settings.warm,
      reuse: settings.reuse,
      maxIdleMs: settings.maxIdleMs,
      limit: settings.maxSessions,
      maxWaiting: MAX_WAITING,
      acquireTimeoutMs: settings.connectTimeoutMs + ACQUIRE_GRACE_MS,
    },
    {
      connect,
      now: () => deps.now(),
      random: () => deps.random(),
      setTimer: deps.setTimer,
      failures: {
        timeout: { reason: 'timeout', code: 'ETIMEDOUT' },
        // Out of reach as long as leases keep a backend's sessions within its limit.
        full: { reason: 'timeout', code: 'POOL_FULL' },
      },
    },
  );
}
