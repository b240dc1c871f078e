/**
 * Counts sessions that have ended: how, how long they lasted, what was sent, and how long they had waited.
 *
 * Place: called by the session at its end, before it gives its backend back: the backend's slot has no other owner
 * until then.
 * Invariant: every session that has begun is counted once as ended, at its listener and at its upstream, and at its
 * backend if it had a connection.
 */
import type { RelayOutcome } from '../../engine/engine.ts';
import type { Termination } from '../../model/termination.ts';
import type { Cells } from '../../shared-memory/counters/counters.ts';
import { endingOf } from '../../shared-memory/counters/endings.ts';
import { BACKEND, LISTENER, UPSTREAM } from '../../shared-memory/counters/layout.ts';

/** Whose cells a session counts in. */
export interface Counting {
  readonly cells: Cells;
}

/** What a session has had of a backend. */
export interface Served {
  readonly servedBy: Counting | undefined;
  readonly connectedAtMs: number;
}

/**
 * @param dispatch undefined: its search for a backend had not begun
 * @param relayed undefined: nothing was relayed
 */
export function countEnd(
  listener: Counting,
  upstream: Counting,
  dispatch: Served | undefined,
  lastedMs: number,
  termination: Termination,
  relayed: RelayOutcome | undefined,
): void {
  const ending = endingOf(termination);
  listener.cells.add(LISTENER.ended, ending, 1);
  upstream.cells.add(UPSTREAM.ended, ending, 1);
  upstream.cells.note(UPSTREAM.duration, lastedMs);
  const backend = dispatch?.servedBy;
  if (dispatch === undefined || backend === undefined || relayed === undefined) return;
  const { bytesFromClient, bytesFromBackend } = relayed;
  listener.cells.add(LISTENER.bytes, 0, bytesFromClient);
  listener.cells.add(LISTENER.bytes, 1, bytesFromBackend);
  backend.cells.add(BACKEND.ended, ending, 1);
  backend.cells.add(BACKEND.bytes, 0, bytesFromClient);
  backend.cells.add(BACKEND.bytes, 1, bytesFromBackend);
  const firstByteMs = firstByteOf(relayed, dispatch.connectedAtMs);
  if (firstByteMs !== undefined) backend.cells.note(BACKEND.firstByte, firstByteMs);
}

/** How long after the connection the backend's first byte came; undefined: it sent none. */
export function firstByteOf({ firstByteMs }: RelayOutcome, connectedAtMs: number): number | undefined {
  // A parked connection may have had it before.
  return firstByteMs === undefined ? undefined : Math.max(firstByteMs - connectedAtMs, 0);
}

export function countWait(upstream: Counting, waitedMs: number): void {
  upstream.cells.note(UPSTREAM.queueWait, waitedMs);
}
