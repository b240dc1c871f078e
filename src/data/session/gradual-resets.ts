/**
 * Resets the sessions of backends that have gone down (`whenDown: reset`), a batch per turn of the loop.
 *
 * Place: fed by the data plane with each plan. Why not all at once: ten thousand resets in one turn hold up the bytes
 * of all other sessions (Envoy warns of the same for its close_connections_on_host_health_failure).
 * Invariant: a session is reset only while its backend is still to be left; one that has moved to another backend
 * meanwhile is left alone.
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

export class GradualResets {
  /** Per upstream: the backends that must have no session. */
  readonly #left = new Map<string, ReadonlySet<string>>();

  apply(plan: UpstreamPlan, sessions: Iterable<Resettable>): void {
    const before = this.#left.get(plan.name);
    const left = new Set(plan.backends.filter(({ resetSessions }) => resetSessions).map(({ id }) => id));
    this.#left.set(plan.name, left);
    const added = [...left].filter(id => before?.has(id) !== true);
    if (added.length === 0) return;
    this.#reset([...sessions].filter(session => this.#isLeft(session)));
  }

  /** The upstream has gone. */
  forget(upstream: string): void {
    this.#left.delete(upstream);
  }

  #reset(sessions: Resettable[]): void {
    for (const session of sessions.splice(-PER_TURN)) if (this.#isLeft(session)) session.abort(BACKEND_DOWN);
    if (sessions.length > 0) setImmediate(() => this.#reset(sessions));
  }

  #isLeft({ upstream, servedBy }: Resettable): boolean {
    return servedBy !== undefined && this.#left.get(upstream)?.has(servedBy) === true;
  }
}
