/**
 * Counts what becomes of attempts to get a session a connection: where connections came from and how long they took,
 * failures, and further attempts.
 *
 * Place: called by the dispatcher at the end of each step, and by a backend's pool; `/metrics` shows the sums over all threads.
 */
import type { EvictionCause } from '../../../pool/index.ts';
import type { ConnectFailure } from '../../engine/engine.ts';
import {
  BACKEND,
  CONNECT_FAILURES,
  EVICTIONS,
  ORIGINS,
  UPSTREAM,
} from '../../shared-memory/counters/layout.ts';
import type { Origin } from './backend-pool.ts';
import type { BackendRuntime } from './backend-runtime.ts';
import type { UpstreamRuntime } from './upstream-runtime.ts';

/** @param before the backend of the attempt before */
export function countFurther(
  upstream: UpstreamRuntime,
  backend: BackendRuntime,
  before: BackendRuntime,
): void {
  upstream.cells.add(backend === before ? UPSTREAM.retries : UPSTREAM.redispatches, 0, 1);
}

export function countConnection({ cells }: BackendRuntime, origin: Origin, connectMs: number): void {
  cells.add(BACKEND.connections, ORIGINS.indexOf(origin), 1);
  if (origin === 'new') cells.note(BACKEND.connect, connectMs);
}

export function countConnectFailure({ cells }: BackendRuntime, { reason }: ConnectFailure): void {
  cells.add(BACKEND.connectFailures, CONNECT_FAILURES.indexOf(reason), 1);
}

/** A parked connection was destroyed. */
export function countEviction({ cells }: BackendRuntime, cause: EvictionCause): void {
  cells.add(BACKEND.evictions, EVICTIONS.indexOf(cause), 1);
}
