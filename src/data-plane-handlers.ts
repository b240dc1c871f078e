/**
 * What a data plane reports → events for everybody, and news for control.
 *
 * Place: handed to the data plane by `load-balancer.ts`.
 */
import type { ControlPlane } from './control-plane.ts';
import { wordsOf } from './errors.ts';
import type { Events } from './events.ts';
import type { FleetHandlers } from './workers/fleet-handlers.ts';

/** @param control undefined while there is none yet: it comes after the data plane */
export function handlersFor(events: Events, control: () => ControlPlane | undefined): FleetHandlers {
  return {
    onListening: (listener, address) => events.emit('listener:listening', { listener, address }),
    onListenerPaused: (listener, reason) => events.emit('listener:paused', { listener, reason }),
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
