/**
 * What all workers report, as one data plane's: a listener is paused once, an upstream queues once, whatever workers are.
 *
 * Place: the fleet hands on every event of its workers; what needs no merging goes through.
 */
import type { DataPlaneHandlers } from '../data-plane.ts';
import { AnyWorker } from './any-worker.ts';
import type { WorkerEvent } from './messages.ts';

export class FleetEvents {
  readonly #handlers: DataPlaneHandlers;
  /** Listeners at which clients wait, and upstreams at which sessions do. */
  readonly #paused: AnyWorker;
  readonly #queueing: AnyWorker;

  constructor(handlers: DataPlaneHandlers) {
    this.#handlers = handlers;
    this.#paused = new AnyWorker(listener => handlers.onListenerResumed(listener));
    this.#queueing = new AnyWorker(upstream => handlers.onQueueing(upstream, false));
  }

  isPaused(listener: string): boolean {
    return this.#paused.has(listener);
  }

  /** A worker has died. */
  forget(worker: number): void {
    this.#paused.forget(worker);
    this.#queueing.forget(worker);
  }

  hear(worker: number, event: WorkerEvent): void {
    const handlers = this.#handlers;
    switch (event.name) {
      case 'listenerPaused':
        if (this.#paused.begin(event.listener, worker)) {
          handlers.onListenerPaused(event.listener, event.reason);
        }
        return;
      case 'listenerResumed':
        this.#paused.end(event.listener, worker);
        return;
      case 'turnedAway':
        handlers.onTurnedAway(event.listener, event.times);
        return;
      case 'connectFailed':
        handlers.onConnectFailed(event.upstream, event.backend, event.failure, event.times);
        return;
      case 'sessionClosed':
        handlers.onSessionClosed(event.record);
        return;
      case 'unrecorded':
        handlers.onSessionUnrecorded(event.sessions);
        return;
      case 'backendFailing':
        handlers.onBackendFailing(event.upstream, event.backend, event.kind);
        return;
      case 'trialEnded':
        handlers.onTrialEnded(event.upstream, event.backend, event.failure);
        return;
      case 'queueing':
        if (!event.isQueueing) this.#queueing.end(event.upstream, worker);
        else if (this.#queueing.begin(event.upstream, worker)) handlers.onQueueing(event.upstream, true);
        return;
      case 'strategyFailed':
        handlers.onStrategyFailed(event.upstream, event.reason, event.times);
        return;
    }
  }
}
