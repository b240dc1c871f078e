/**
 * What a data plane reports → events for everybody, and news for control.
 *
 * Place: handed to the data plane by `load-balancer.ts`.
 */
import type { Config } from './config/schema.ts';
import type { ControlPlane } from './control-plane.ts';
import type { DataPlaneMaking } from './create-data-plane.ts';
import { wordsOf } from './errors.ts';
import type { Events } from './events.ts';
import type { HoldReason } from './listener/listener.ts';
import type { FleetHandlers } from './workers/fleet-handlers.ts';

export interface HandlersDeps {
  readonly events: Events;
  readonly listeners: Config['listeners'];
  /** Undefined while there is none yet: it comes after the data plane. */
  control(): ControlPlane | undefined;
  /** Sessions that can run at once in all listeners together, and whether that is for want of descriptors. */
  limits(): Pick<DataPlaneMaking, 'maxSessions' | 'descriptors'> | undefined;
}

export function handlersFor(deps: HandlersDeps): FleetHandlers {
  const { events, listeners } = deps;
  const control = (): ControlPlane | undefined => deps.control();
  const settingsOf = (name: string): Config['listeners'][number] | undefined =>
    listeners.find(listener => listener.name === name);
  const limits: Record<HoldReason, (listener: string) => number | undefined> = {
    listenerLimit: listener => settingsOf(listener)?.limits.maxSessions,
    instanceLimit: () => deps.limits()?.maxSessions,
    localResources: () => undefined,
  };
  return {
    onListening: (listener, address) =>
      events.emit('listener:listening', {
        listener,
        address,
        upstream: settingsOf(listener)?.upstream ?? '',
      }),
    onListenerPaused: (listener, reason) => {
      const limit = limits[reason](listener);
      const short = reason === 'instanceLimit' ? deps.limits()?.descriptors : undefined;
      events.emit('listener:paused', {
        ...{ listener, reason },
        ...(limit === undefined ? {} : { maxSessions: limit }),
        ...(short === undefined ? {} : { descriptorLimit: short.limit }),
        ...(short?.wanted === undefined ? {} : { descriptorsNeeded: short.wanted.limit }),
      });
    },
    onListenerResumed: listener => events.emit('listener:resumed', { listener }),
    onTurnedAway: (listener, times = 1) => events.emit('listener:turnedAway', { listener, times }),
    onConnectFailed: (upstream, backend, failure, times = 1) => {
      control()?.onConnectFailed(upstream, backend, failure);
      const { reason, code } = failure;
      events.emit('backend:connectFailed', { upstream, backend, reason, code, times });
    },
    onSessionClosed: record => events.emit('session:closed', record),
    onSessionUnrecorded: (sessions = 1) => events.emit('session:unrecorded', { sessions }),
    onBackendFailing: (upstream, backend, kind) => control()?.onBackendFailing(upstream, backend, kind),
    onTrialEnded: (upstream, backend, failure) => control()?.onTrialEnded(upstream, backend, failure),
    onQueueing: (upstream, isQueueing) => control()?.onQueueing(upstream, isQueueing),
    onStrategyFailed: (upstream, error, times = 1) =>
      events.emit('strategy:failed', {
        upstream,
        reason: wordsOf(error),
        times,
      }),
    onWorkerExited: (worker, reason, sessions, restartInMs) =>
      events.emit('worker:exited', {
        worker,
        reason,
        sessions,
        ...(restartInMs === undefined ? {} : { restartInMs }),
      }),
    onWorkerRestarted: worker => events.emit('worker:restarted', { worker }),
    onWorkerStalled: (worker, forMs) => events.emit('worker:stalled', { worker, forMs }),
    onWorkerResumed: worker => events.emit('worker:resumed', { worker }),
  };
}
