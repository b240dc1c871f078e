/** An upstream's runtime side over a fake engine, for tests of picker, dispatcher and session. */
import { UpstreamRuntime } from '../../src/data/dispatch/upstream-runtime.ts';
import type {
  BackendPlan,
  BackupRules,
  ConnectSettings,
  EjectionSettings,
  QueueSettings,
} from '../../src/model/upstream-plan.ts';
import { parseAddress } from '../../src/support/address.ts';
import { ControlledState, SharedState } from '../../src/shared-memory/shared-state.ts';
import { STRATEGIES, type StrategyFactory, type StrategyName } from '../../strategies/index.ts';
import { FakeEngine } from './fake-engine.ts';
import { FakeTimers } from './fake-timers.ts';
import { backendPlan, upstreamPlan } from './plans.ts';

export type BackendSpec = Partial<Omit<BackendPlan, 'id' | 'slot' | 'tag'>>;

export function createFakeUpstream(
  backends: Record<string, BackendSpec>,
  options: {
    strategy?: StrategyName | StrategyFactory;
    /** Default: none configured. */
    attempts?: number;
    warm?: number;
    reuse?: boolean;
    engine?: FakeEngine;
    now?: () => number;
    connect?: Partial<ConnectSettings>;
    ejection?: EjectionSettings;
    queue?: Partial<QueueSettings>;
    /** Of the upstream as a whole. */
    maxSessions?: number;
    backups?: Partial<BackupRules>;
    /** Remembers so many clients. */
    sticky?: number;
    /** Shares its counts with other instances. */
    mirrored?: boolean;
    /** What it shares with other data planes, which has an upstream `app`; `worker`: which of them it is. */
    sharing?: { control: ControlledState; worker: number };
  } = {},
) {
  const { strategy = 'first', attempts, warm = 0, reuse = false } = options;
  const { engine = new FakeEngine(), now = () => 0, connect, queue, sticky, mirrored, backups } = options;
  const { maxSessions } = options;
  const { ejection = { failures: Infinity, earlyClose: 0 } } = options;
  const { sharing } = options;
  const shared = sharing === undefined ? new ControlledState({ slots: 16 }) : sharing.control;
  const state =
    sharing === undefined
      ? shared.configureUpstream('app', {
          sticky: sticky === undefined ? undefined : { max: sticky, ttlMs: 60_000 },
          mirrored: mirrored === true,
        })
      : shared.upstream('app');
  const { counts } = shared;
  const failures: unknown[] = [];
  const timers = new FakeTimers();
  const factory = typeof strategy === 'string' ? STRATEGIES[strategy] : strategy;
  const base = upstreamPlan('app', { memory: state.memory }, shared);
  const plan = {
    ...base,
    connect: { ...base.connect, attempts, ...connect },
    queue: { ...base.queue, ...queue },
    backups: { ...base.backups, ...backups },
    limits: { maxSessions },
    ...{ ejection, pool: { warm, maxIdle: 5_000, reuse } },
  };
  const upstream = new UpstreamRuntime(plan, factory, {
    engine,
    shared: sharing === undefined ? shared : new SharedState(shared.memory, sharing.worker),
    now,
    random: () => 0.5,
    setTimer: timers.setTimer,
    onOthersFirst: () => undefined,
    report: event => {
      if (event.kind === 'strategyFailed') failures.push(event.reason);
    },
  });
  const apply = (specs: Record<string, BackendSpec>): boolean =>
    upstream.apply(
      { ...plan, backends: Object.entries(specs).map(([id, spec]) => planOf(id, spec, shared)) },
      factory,
    );
  apply(backends);
  const slotOf = (id: string): number => shared.slotOfBackend('app', id).index;
  return {
    upstream,
    counts,
    shared,
    timers,
    engine,
    apply,
    failures,
    slotOf,
    live: (id: string) => counts.live(slotOf(id)),
    /** Sessions that wait. */
    inQueue: () => counts.live(shared.slotOfQueue('app')),
    /** What other instances hold, 0 where nothing is said, and how many sessions the counts do not include. */
    hear: (elsewhere: Record<string, number>, unseen = 0) => {
      for (const id of Object.keys(backends)) shared.elsewhere.set(slotOf(id), elsewhere[id] ?? 0);
      state.news?.hear(unseen);
    },
  };
}

function planOf(id: string, spec: BackendSpec, shared: ControlledState): BackendPlan {
  const parsed = parseAddress(id);
  const { index, tag } = shared.slotOfBackend('app', id);
  const addresses = parsed.ok ? [parsed.address] : [];
  return backendPlan(id, index, { tag, addresses, well: spec.eligible ?? true, ...spec });
}
