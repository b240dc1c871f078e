/** A warm pool over a backend answered by hand and a clock moved by hand. */
import type { Acquired, Cancel, EvictionCause } from '../../pool/connection-pool.ts';
import { createWarmPool, type WarmPool, type WarmPoolOptions } from '../../pool/index.ts';
import { FakeBackend, type FakeConnection, settle } from './fake-backend.ts';
import { FakeClock } from '../harness/fake-clock.ts';

export type Result = Acquired<FakeConnection, string>;

export interface WarmHarness {
  readonly backend: FakeBackend;
  readonly clock: FakeClock;
  readonly pool: WarmPool<FakeConnection, string>;
  /** What the acquires below came to, in that order. */
  readonly results: Result[];
  /** Why parked connections were destroyed, in that order. */
  readonly evicted: EvictionCause[];
  readonly acquire: () => Cancel;
  /** Answers refills until `count` spares are parked. */
  readonly park: (count: number) => Promise<FakeConnection[]>;
}

export function warmHarness(options: Partial<WarmPoolOptions> = {}, random = () => 0): WarmHarness {
  const backend = new FakeBackend();
  const clock = new FakeClock(5_000);
  const results: Result[] = [];
  const evicted: EvictionCause[] = [];
  const pool = createWarmPool(
    { warm: 1, maxIdleMs: 5_000, maxWaiting: 10, acquireTimeoutMs: 3_000, ...options },
    {
      connect: backend.connect,
      now: clock.now,
      random,
      setTimer: clock.setTimer,
      onEvicted: cause => evicted.push(cause),
      failures: { timeout: 'timeout', full: 'full' },
    },
  );
  return {
    backend,
    clock,
    pool,
    results,
    evicted,
    acquire: () => pool.acquire(result => void results.push(result)),
    park: async count => {
      const parked: FakeConnection[] = [];
      while (pool.stats().parked < count) {
        parked.push(backend.only().succeed());
        await settle();
      }
      return parked;
    },
  };
}

/** The same, suspended before anything was opened: what connects is an acquire's own. */
export async function suspendedHarness(options: Partial<WarmPoolOptions> = {}): Promise<WarmHarness> {
  const harness = warmHarness(options);
  harness.pool.suspend();
  await settle();
  harness.backend.connects.length = 0;
  return harness;
}
