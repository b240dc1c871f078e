/**
 * Resets the sessions of backends that have gone down (`whenDown: reset`), and of backups that are not needed any more
 * (`leaveBackups: reset`), a batch per turn of the loop.
 *
 * Place: fed by the data plane with each plan. Why not all at once: ten thousand resets in one turn hold up the bytes
 * of all other sessions (Envoy warns of the same for its close_connections_on_host_health_failure).
 * Invariant: a session is reset only while its backend is still to be left; one that has moved to another backend
 * meanwhile is left alone, and so is one that a backup gets after it was left.
 */
import type { Termination } from '../../model/termination.ts';
import type { UpstreamPlan } from '../../model/upstream-plan.ts';

/** What it needs of a session. */
export interface Resettable {
  readonly upstream: string;
  /** Undefined while it has none. */
  readonly servedBy: string | undefined;
  abort(termination: Termination): void;
}

const PER_TURN = 100;
const BACKEND_DOWN: Termination = { by: 'balancer', phase: 'relay', reason: 'backendDown' };
const PRIMARY_BACK: Termination = { by: 'balancer', phase: 'relay', reason: 'primaryBack' };

export class GradualResets {
  /** Per upstream: the backends that were left, and why. */
  readonly #left = new Map<string, ReadonlyMap<string, Termination>>();

  apply(plan: UpstreamPlan, sessions: Iterable<Resettable>): void {
    const before = this.#left.get(plan.name);
    const left = new Map(
      plan.backends.flatMap(({ id, resetSessions, isLeft = false }): [string, Termination][] =>
        resetSessions || isLeft ? [[id, resetSessions ? BACKEND_DOWN : PRIMARY_BACK]] : [],
      ),
    );
    this.#left.set(plan.name, left);
    // Sessions that a backup left before has got since stay: it may have them for want of room elsewhere.
    const added = new Set([...left.keys()].filter(id => left.get(id) !== before?.get(id)));
    if (added.size === 0) return;
    const isAdded = ({ upstream, servedBy = '' }: Resettable): boolean =>
      upstream === plan.name && (added.has(servedBy) || left.get(servedBy) === BACKEND_DOWN);
    this.#reset([...sessions].filter(isAdded));
  }

  /** The upstream has gone. */
  forget(upstream: string): void {
    this.#left.delete(upstream);
  }

  #reset(sessions: Resettable[]): void {
    for (const session of sessions.splice(-PER_TURN)) {
      const why = this.#why(session);
      if (why !== undefined) session.abort(why);
    }
    if (sessions.length > 0) setImmediate(() => this.#reset(sessions));
  }

  #why({ upstream, servedBy }: Resettable): Termination | undefined {
    return servedBy === undefined ? undefined : this.#left.get(upstream)?.get(servedBy);
  }
}
