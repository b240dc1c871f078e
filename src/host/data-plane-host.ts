/**
 * Where the data plane runs, as `LoadBalancer` sees it: in the caller's thread (`local-host.ts`) or in workers
 * (`workers/worker-fleet.ts`).
 *
 * Place: between control and data. Everything that is read here is synchronous: workers publish their figures in shared
 * memory.
 */
import type { HostListenerView, WorkerView } from '../model/snapshot.ts';
import type { Recording } from '../data/data-plane.ts';
import type { ListenersPlan } from '../model/listener-plan.ts';
import type { Plan } from '../model/plan.ts';
import type { PoolFigures } from '../model/pool-figures.ts';
import type { SessionQuery, SessionView } from '../model/session-view.ts';
import type { Termination } from '../model/termination.ts';

/** Plans of upstreams: they take effect at once, and cannot fail. */
export type UpstreamChange = Exclude<Plan, { readonly kind: 'listeners' }>;

export interface DataPlaneHost {
  /** Sessions that run now. */
  readonly sessions: number;
  /** Sessions since the start, ended ones included. */
  readonly sessionsEver: number;
  /** Sessions that `abortSessions` has ended. */
  readonly sessionsAborted: number;
  apply(change: UpstreamChange): void;
  /** Resolves when every thread has applied what it was sent before, or is dead. */
  settled(): Promise<void>;
  /**
   * Listens as planned, all listeners at once: binds what is new, then closes what is no longer named, after taking the
   * clients that had connected already. The upstreams that the plan names must have been applied. Rejects with an
   * `Lb4Error`, and then everything is as before; a first call that rejects must be followed by `close`.
   * @param expectWanted throws when listening is not wanted any more; called last before anything is bound
   */
  listen(plan: ListenersPlan, expectWanted: () => void): Promise<void>;
  /** Takes the clients that had connected already, then no more. Idempotent. */
  stopListening(): Promise<void>;
  /** Destroys spare connections; new sessions could still connect. */
  closePools(): void;
  /** Resets every session, and from now on each client that is still handed over. */
  abortSessions(termination: Termination): void;
  /** The process ends: resets every session within this call, as far as possible. */
  abandonSessions(): void;
  /** Sessions that run, in no order; those of a thread that does not respond are missing. */
  sessionViews(query: SessionQuery): Promise<readonly SessionView[]>;
  /** Resolves once no session runs. */
  whenEmpty(): Promise<void>;
  /** Ends the threads, if there are any; no other call may follow. Idempotent. */
  close(): Promise<void>;
  /** What is to be reported of sessions that end from now on. */
  record(recording: Recording): void;
  listeners(): readonly HostListenerView[];
  /** For the backend with this slot: spare connections, and how many sessions got one or had to connect. */
  pool(slot: number): PoolFigures;
  workers(): readonly WorkerView[];
}
