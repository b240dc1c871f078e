/**
 * Throws an exception of the caller's own functions when the pool has no caller to throw it at.
 *
 * Place: a `connect` that throws, and a `done` that throws after a promise of generic-pool. Both break their
 * contract; rejecting would turn the first into a busy loop (ADR 0002) and hide the second.
 */

/** Throws `error` from a turn of its own, where it is an uncaughtException like any other callback's. */
export function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
