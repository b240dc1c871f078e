/**
 * The reports of a data plane's host → events for subscribers, and news for control.
 *
 * Place: `load-balancer.ts` passes the result to the host as its `report`.
 */
import type { Config } from '../config/schema/schema.ts';
import type { Events } from '../model/events.ts';
import type { HoldReason, HostEvent, HostReport } from '../model/data-event.ts';
import type { Planes } from './planes.ts';

export interface TranslationDeps {
  readonly events: Events;
  /** Undefined while there are none yet. */
  planes(): Pick<Planes, 'control' | 'config' | 'limits'> | undefined;
}

export function translateInto(deps: TranslationDeps): HostReport {
  const { events } = deps;
  return (event: HostEvent): void => {
    switch (event.kind) {
      case 'listening': {
        const { listener, address, upstream } = event;
        events.emit('listener:listening', { listener, address, upstream });
        return;
      }
      case 'listenerPaused':
        events.emit('listener:paused', pauseOf(deps, event.listener, event.reason));
        return;
      case 'listenerResumed':
        events.emit('listener:resumed', { listener: event.listener });
        return;
      case 'listenerBroken': {
        const { listener, address, code } = event;
        events.emit('listener:broken', { listener, address, ...(code === undefined ? {} : { code }) });
        return;
      }
      case 'listenerMended':
        events.emit('listener:mended', { listener: event.listener, address: event.address });
        return;
      case 'turnedAway':
        events.emit('listener:turnedAway', { listener: event.listener, times: event.times });
        return;
      case 'refused': {
        const { listener, reason, clientAddress, times, code, isDryRun: dryRun } = event;
        const known = code === undefined ? {} : { code };
        events.emit('listener:refused', { listener, reason, clientAddress, dryRun, ...known, times });
        return;
      }
      case 'connectFailed': {
        const { upstream, backend, times } = event;
        const { reason, code } = event.failure;
        deps.planes()?.control.hear(event);
        events.emit('backend:connectFailed', { upstream, backend, reason, code, times });
        return;
      }
      case 'backendFailing':
      case 'trialEnded':
      case 'queueing':
        deps.planes()?.control.hear(event);
        return;
      case 'sessionClosed':
        events.emit('session:closed', event.record);
        return;
      case 'unrecorded':
        events.emit('session:unrecorded', { sessions: event.sessions });
        return;
      case 'strategyFailed': {
        const { upstream, reason, times } = event;
        events.emit('strategy:failed', { upstream, reason, times });
        return;
      }
      case 'workerExited': {
        const { worker, reason, sessions, restartInMs } = event;
        const restart = restartInMs === undefined ? {} : { restartInMs };
        events.emit('worker:exited', { worker, reason, sessions, ...restart });
        return;
      }
      case 'workersAdded':
        events.emit('workers:added', { engine: event.engine, workers: event.workers });
        return;
      case 'workerRestarted':
        events.emit('worker:restarted', { worker: event.worker });
        return;
      case 'workerStalled':
        events.emit('worker:stalled', { worker: event.worker, forMs: event.forMs });
        return;
      case 'workerResumed':
        events.emit('worker:resumed', { worker: event.worker });
        return;
    }
  };
}

function settingsOf(deps: TranslationDeps, name: string): Config['listeners'][number] | undefined {
  return deps.planes()?.config.listeners.find(listener => listener.name === name);
}

/** With the limit that is reached, and what raises it where that is the limit of descriptors. */
function pauseOf(deps: TranslationDeps, listener: string, reason: HoldReason) {
  const { maxSessions, descriptors } = deps.planes()?.limits ?? {};
  const limits: Record<HoldReason, number | undefined> = {
    listenerLimit: settingsOf(deps, listener)?.limits.maxSessions,
    instanceLimit: maxSessions,
    localResources: undefined,
    listenerRate: undefined,
  };
  const limit = limits[reason];
  const short = reason === 'instanceLimit' ? descriptors : undefined;
  return {
    ...{ listener, reason },
    ...(limit === undefined ? {} : { maxSessions: limit }),
    ...(short === undefined ? {} : { descriptorLimit: short.limit }),
    ...(short?.wanted === undefined ? {} : { descriptorsNeeded: short.wanted.limit }),
  };
}
