/**
 * Counts what sessions do: what is sent, how they end, how long they lasted, and how long they had waited.
 *
 * Place: called by the session, and for the last time before it gives its backend back: the backend's slot has no other
 * owner until then.
 * Invariants:
 * - Every session that has begun is counted once as ended, at its listener and at its upstream, and at its backend if it
 *   had a connection.
 * - Every byte is counted once, while the session runs (counted-sessions.ts) or at its end.
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

/** What a session, or its relay, has moved so far. */
interface Moved {
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
}

/** Bytes of a session that are counted already; written here only. */
export interface CountedBytes {
  countedFromClient: number;
  countedFromBackend: number;
}

/**
 * Counts what has moved since the last call. A connection that takes the place of a stale one sends the client's bytes
 * again: only what goes beyond them is new.
 */
export function countBytes(
  counted: CountedBytes,
  listener: Counting,
  dispatch: Served | undefined,
  { bytesFromClient, bytesFromBackend }: Moved,
): void {
  const backend = dispatch?.servedBy;
  if (backend === undefined) return;
  const fromClient = bytesFromClient - counted.countedFromClient;
  if (fromClient > 0) {
    counted.countedFromClient = bytesFromClient;
    listener.cells.add(LISTENER.bytes, 0, fromClient);
    backend.cells.add(BACKEND.bytes, 0, fromClient);
  }
  const fromBackend = bytesFromBackend - counted.countedFromBackend;
  if (fromBackend > 0) {
    counted.countedFromBackend = bytesFromBackend;
    listener.cells.add(LISTENER.bytes, 1, fromBackend);
    backend.cells.add(BACKEND.bytes, 1, fromBackend);
  }
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
  backend.cells.add(BACKEND.ended, ending, 1);
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
