/**
 * What `LoadBalancer.snapshot()` shows: everything that is going on, as plain data.
 *
 * Place: gathered by `load-balancer.ts` from control, data plane and mirror whenever it is asked for.
 */
import type { ListenerView as DataPlaneListenerView, WorkerView } from './data-plane-host.ts';
import type { MirrorView } from './mirror/mirror.ts';
import type { Planes } from './planes.ts';
import type { BackendStatus, UpstreamStatus } from './upstream/upstream-status.ts';
import { NO_POOL, type PoolFigures } from './model/pool-figures.ts';

export type LoadBalancerState = 'new' | 'starting' | 'running' | 'draining' | 'stopped';

/** What is going on, as plain data. */
export interface LoadBalancerSnapshot {
  readonly state: LoadBalancerState;
  readonly engine: string;
  /** Sessions that run now, and all there ever were. */
  readonly sessions: number;
  readonly sessionsEver: number;
  /** Sessions that can run at once: `limits.maxSessions` or what file descriptors allow; undefined for no limit. */
  readonly maxSessions: number | undefined;
  /** The data plane's threads; none when it runs in the caller's own. */
  readonly workers: readonly WorkerView[];
  readonly listeners: readonly ListenerView[];
  readonly upstreams: readonly UpstreamView[];
  /** How counts are shared with other instances; undefined where `redis` is not configured. */
  readonly mirror: MirrorView | undefined;
}

/** One listener, as `snapshot()` shows it. */
export interface ListenerView extends DataPlaneListenerView {
  /** For how long new clients have waited; undefined while they do not. */
  readonly pausedMs: number | undefined;
}

/** One upstream, as `snapshot()` shows it. */
export interface UpstreamView extends UpstreamStatus {
  readonly backends: readonly BackendView[];
}

/** One backend, as `snapshot()` shows it. */
export interface BackendView extends BackendStatus {
  /** Spare connections, and how many sessions got one or had to connect. */
  readonly pool: PoolFigures;
}

/** @param pausedMs for how long a listener has been paused */
export function snapshotOf(
  state: LoadBalancerState,
  planes: Planes | undefined,
  pausedMs: (listener: string) => number | undefined,
): LoadBalancerSnapshot {
  const { data, choice, limits, control, mirror } = planes ?? {};
  return {
    state,
    engine: choice?.engine ?? '',
    sessions: data?.sessions ?? 0,
    sessionsEver: data?.sessionsEver ?? 0,
    maxSessions: limits?.maxSessions === Infinity ? undefined : limits?.maxSessions,
    workers: data?.workers() ?? [],
    listeners: (data?.listeners() ?? []).map(view => ({ ...view, pausedMs: pausedMs(view.name) })),
    upstreams: (control?.status() ?? []).map(({ slots, ...upstream }) => ({
      ...upstream,
      backends: upstream.backends.map((backend, i) => ({
        ...backend,
        pool: data?.pool(slots[i] ?? -1) ?? NO_POOL,
      })),
    })),
    mirror: mirror?.view(),
  };
}
