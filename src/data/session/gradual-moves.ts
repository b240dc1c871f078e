/**
 * Moves sessions whose attempt hangs at a backend that has just been found not well to a backend that is well, a batch
 * per turn of the loop.
 *
 * Place: the data plane calls it when a plan has made it necessary. Why not all at once: a thousand connects in one
 * turn fill the backlog of the backend that is left.
 * Invariant: a session decides by the plan that holds at its turn.
 */

/** What it needs of a session. */
export interface Movable {
  readonly upstream: string;
  /** It waits for a connection to a backend. */
  readonly isConnecting: boolean;
  /** Leaves a backend that is not well for one that is. */
  moveOn(): void;
}

const PER_TURN = 100;

/** Lets the sessions of an upstream move on. */
export function moveGradually(upstream: string, sessions: Iterable<Movable>): void {
  const connecting: Movable[] = [];
  for (const session of sessions)
    if (session.isConnecting && session.upstream === upstream) connecting.push(session);
  move(connecting, 0);
}

function move(sessions: readonly Movable[], from: number): void {
  const until = from + PER_TURN;
  for (const session of sessions.slice(from, until)) session.moveOn();
  if (until < sessions.length) setImmediate(() => move(sessions, until));
}
