/**
 * Assembles the result of `LoadBalancer.snapshot()` from control, data planes and mirror.
 *
 * Place: called by `load-balancer.ts` on each request; model/snapshot.ts defines the result.
 */
import type { ListenerView, LoadBalancerSnapshot, LoadBalancerState, TlsView } from '../model/snapshot.ts';
import type { Planes } from './planes.ts';
import { sniRoutes } from '../model/hello-plan.ts';
import { NO_FIGURES } from '../model/pool-figures.ts';

/** @param pausedMs how long a listener has been paused */
export function snapshotOf(
  state: LoadBalancerState,
  planes: Planes | undefined,
  pausedMs: (listener: string) => number | undefined,
): LoadBalancerSnapshot {
  const { data, choice, limits, control } = planes ?? {};
  const figuresOf = data?.figures() ?? (() => NO_FIGURES);
  return {
    state,
    ready: state === 'running',
    engine: choice?.engine ?? '',
    sessions: data?.sessions ?? 0,
    sessionsEver: data?.sessionsEver ?? 0,
    maxSessions: limits?.maxSessions === Infinity ? undefined : limits?.maxSessions,
    workers: data?.workers() ?? [],
    listeners: (data?.listeners() ?? []).map(view => ({
      ...view,
      pausedMs: pausedMs(view.name),
      ...configured(planes, view.name),
      ...tlsOf(planes, 'listener', view.name),
    })),
    upstreams: (control?.status() ?? []).map(({ slots, queueSlot, ...upstream }) => ({
      ...upstream,
      ...tlsOf(planes, 'upstream', upstream.name),
      retryBudget: { left: figuresOf(queueSlot).retriesLeft },
      backends: upstream.backends.map((backend, i) => {
        const { parked, hits, misses, connections } = figuresOf(slots[i] ?? -1);
        // It was made for this snapshot. A copy would cost more than all the rest.
        return Object.assign(backend, { connections, pool: { parked, hits, misses } });
      }),
    })),
    mirror: planes?.mirror(),
  };
}

function configured(planes: Planes | undefined, listener: string): Pick<ListenerView, 'sni' | 'limits'> {
  const { sni, limits = {}, dryRun } = planes?.config.listeners.find(({ name }) => name === listener) ?? {};
  const hasLimits = Object.values(limits).some(each => each !== undefined);
  return {
    ...(sni && { sni: { routes: sniRoutes(sni.routes), others: sni.others } }),
    ...(hasLimits && { limits: dryRun === true ? { ...limits, dryRun } : limits }),
  };
}

function tlsOf(
  planes: Planes | undefined,
  owner: 'listener' | 'upstream',
  name: string,
): { readonly tls?: TlsView } {
  const tls = planes?.tls.view(owner, name);
  return tls === undefined ? {} : { tls };
}
