/** An upstream's runtime side over a fake engine, for tests of picker, dispatcher and session. */
import { UpstreamRuntime } from '../../src/dispatch/upstream-runtime.ts';
import { parseAddress } from '../../src/support/address.ts';
import { LiveCounts } from '../../src/shared-memory/live-counts.ts';
import type { BackendSnapshot } from '../../src/upstream/snapshot.ts';
import { STRATEGIES, type StrategyFactory, type StrategyName } from '../../strategies/index.ts';
import { FakeEngine } from './fake-engine.ts';

export type BackendSpec = Partial<Omit<BackendSnapshot, 'id' | 'slot'>>;

export function createFakeUpstream(
  backends: Record<string, BackendSpec>,
  options: {
    strategy?: StrategyName | StrategyFactory;
    attempts?: number;
    warm?: number;
    reuse?: boolean;
    engine?: FakeEngine;
    now?: () => number;
  } = {},
) {
  const { strategy = 'first', attempts = 3, warm = 0, reuse = false } = options;
  const { engine = new FakeEngine(), now = () => 0 } = options;
  const counts = new LiveCounts({ backends: 8 });
  const failures: unknown[] = [];
  const upstream = new UpstreamRuntime(
    {
      name: 'app',
      factory: typeof strategy === 'string' ? STRATEGIES[strategy] : strategy,
      connect: { timeoutMs: 5_000, attempts },
      pool: { warm, maxIdleMs: 5_000, reuse },
    },
    { engine, counts, now, random: () => 0.5, onStrategyFailed: (_upstream, error) => failures.push(error) },
  );
  const apply = (specs: Record<string, BackendSpec>): void =>
    upstream.apply({
      name: 'app',
      backends: Object.entries(specs).map(([id, spec]) => snapshotOf(id, spec, counts)),
    });
  apply(backends);
  return {
    upstream,
    counts,
    engine,
    apply,
    failures,
    live: (id: string) => counts.live(counts.slotOf('app', id)),
  };
}

function snapshotOf(id: string, spec: BackendSpec, counts: LiveCounts): BackendSnapshot {
  const parsed = parseAddress(id);
  return {
    id,
    slot: counts.slotOf('app', id),
    address: parsed.ok ? parsed.address : undefined,
    weight: 1,
    maxSessions: undefined,
    eligible: true,
    ...spec,
  };
}
