/** Plans for data planes under test, all by default. */
import type { ListenerPlan } from '../../src/model/listener-plan.ts';
import type { BackendPlan, UpstreamPlan } from '../../src/model/upstream-plan.ts';
import { ControlledState } from '../../src/shared-memory/shared-state.ts';
import { listenAddress } from './listening-address.ts';

/** @param shared whose upstream of this name it is; default: one of its own */
export function upstreamPlan(
  name = 'app',
  plan: Partial<UpstreamPlan> = {},
  shared = new ControlledState({ slots: 4 }),
): UpstreamPlan {
  return {
    name,
    memory: plan.memory ?? shared.configureUpstream(name, {}).memory,
    queueSlot: shared.slotOfQueue(name),
    strategy: 'leastconn',
    sockets: {},
    connect: {
      timeout: 5_000,
      retriesPerBackend: 0,
      retryDelay: 10,
      rounds: 1,
      backoff: 100,
      deadline: 0,
      retryBudget: { percent: 20, minPerSecond: 10 },
    },
    ejection: { failures: Infinity, earlyClose: 0 },
    queue: { max: 0, timeout: 5_000 },
    limits: {},
    backups: { when: 'down', which: 'all' },
    pool: { warm: 0, maxIdle: 5_000, reuse: false },
    backends: [],
    ...plan,
  };
}

export function backendPlan(id: string, slot = 0, plan: Partial<BackendPlan> = {}): BackendPlan {
  return {
    ...{ id, slot, tag: slot, addresses: [], weight: 1, maxSessions: undefined },
    ...{ eligible: true, well: true, trial: false, reserve: false, resetSessions: false },
    ...plan,
  };
}

export function listenerPlan(name = 'web', plan: Partial<ListenerPlan> = {}): ListenerPlan {
  return {
    ...{ name, bind: [], sockets: {}, upstream: 'app', limits: {}, slot: 0 },
    timeouts: { idle: 600_000, halfClosed: 60_000, lifetime: 0, lifetimeJitter: 0 },
    whenUnavailable: 'reset',
    ...plan,
  };
}

/** A listener at addresses as `bind` writes them. */
export function listenerAt(name: string, ...bind: string[]): ListenerPlan {
  return listenerPlan(name, { bind: bind.map(text => ({ key: text, where: listenAddress(text) })) });
}

/** What gives a data plane all its listeners, with no limit of the instance. */
export function listenersChange(shared: ControlledState, ...listeners: readonly ListenerPlan[]) {
  const plan = { limits: { maxSessions: Infinity }, slot: shared.slotOfInstance(), listeners };
  return { kind: 'listeners', upstreams: [], listeners: plan } as const;
}
