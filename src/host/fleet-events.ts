/**
 * Merges the events of all workers into those of one data plane: a listener is paused once and an upstream queues once,
 * in however many workers.
 *
 * Place: the fleet passes every event of its workers to it; events that need no merging go through unchanged.
 */
import type { DataEvent, Report } from '../model/data-event.ts';
import { AnyWorker } from './any-worker.ts';

export class FleetEvents {
  readonly #report: Report;
  /** Listeners at which clients wait, and upstreams at which sessions wait. */
  readonly #paused: AnyWorker;
  readonly #queueing: AnyWorker;

  constructor(report: Report) {
    this.#report = report;
    this.#paused = new AnyWorker(listener => report({ kind: 'listenerResumed', listener }));
    this.#queueing = new AnyWorker(upstream => report({ kind: 'queueing', upstream, isQueueing: false }));
  }

  isPaused(listener: string): boolean {
    return this.#paused.has(listener);
  }

  /** A worker does not serve a listener any more: what it does with the clients that it has left pauses no listener. */
  leave(worker: number, listener: string): void {
    this.#paused.end(listener, worker);
  }

  /** A worker has died. */
  forget(worker: number): void {
    this.#paused.forget(worker);
    this.#queueing.forget(worker);
  }

  hear(worker: number, event: DataEvent): void {
    if (event.kind === 'listenerPaused') {
      if (this.#paused.begin(event.listener, worker)) this.#report(event);
    } else if (event.kind === 'listenerResumed') {
      this.#paused.end(event.listener, worker);
    } else if (event.kind === 'queueing') {
      if (!event.isQueueing) this.#queueing.end(event.upstream, worker);
      else if (this.#queueing.begin(event.upstream, worker)) this.#report(event);
    } else {
      this.#report(event);
    }
  }
}
