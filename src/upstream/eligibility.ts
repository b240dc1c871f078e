/**
 * May a backend get new sessions? One pure function of everything that has a say.
 *
 * Place: called by `Upstream` for every backend of every snapshot.
 */

export interface BackendConditions {
  /** What the active health check says. */
  readonly healthy: boolean;
  /** Whether there is an address to connect to: false for a name that has never been resolved. */
  readonly resolved: boolean;
}

export function isEligible({ healthy, resolved }: BackendConditions): boolean {
  return healthy && resolved;
}

/** `drain`: no new sessions, the old ones run on. `maint`: the same, and it is not checked either. */
export type OperatorState = 'ready' | 'drain' | 'maint';
