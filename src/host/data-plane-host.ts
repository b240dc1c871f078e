/**
 * Where the data plane runs, as `LoadBalancer` sees it: in the caller's thread (`local-host.ts`) or in workers
 * (`workers/worker-fleet.ts`).
 *
 * Place: between control and data. Everything that is read here is synchronous: what workers know of themselves
 * stands in shared memory.
 */
import type { HostListenerView, WorkerView } from '../model/snapshot.ts';
import type { Recording } from '../data/data-plane.ts';
import type { ListenersPlan } from '../model/listener-plan.ts';
import type { Plan } from '../model/plan.ts';
import type { PoolFigures } from '../model/pool-figures.ts';
import type { SessionQuery, SessionView } from '../model/session-view.ts';
import type { Termination } from '../model/termination.ts';

/** What concerns upstreams: takes effect at once, and cannot fail. */
export type UpstreamChange = Exclude<Plan, { readonly kind: 'listeners' }>;

export interface DataPlaneHost {
  /** Sessions that run now. */
  readonly sessions: number;
  /** Sessions since the start, ended ones included. */
  readonly sessionsEver: number;
  /** Sessions that `abortSessions` has ended. */
  readonly sessionsAborted: number;
  apply(change: UpstreamChange): void;
  /** Resolves when every thread has applied what it was given before, or is dead. */
  settled(): Promise<void>;
  /**
   * Listens as planned, all listeners at once: binds what is new, then closes what is not named any more, after taking
   * the clients that had connected already. Rejects with an `Lb4Error`, and then everything is as before; after the
   * first time it is to be followed by `close` then. Upstreams that it names must have been applied.
   * @param expectWanted throws where listening is not wanted any more; called last before anything is bound
   */
  listen(plan: ListenersPlan, expectWanted: () => void): Promise<void>;
  /** Takes the clients that had connected already, then no more. Idempotent. */
  stopListening(): Promise<void>;
  /** Destroys spare connections; new sessions could still connect. */
  closePools(): void;
  /** Resets every session, and from now on those of clients that are still handed over. */
  abortSessions(termination: Termination): void;
  /** The process ends: resets every session within this call, as far as it can. */
  abandonSessions(): void;
  /** Sessions that run, in no order; those of a thread that stands still are missing. */
  sessionViews(query: SessionQuery): Promise<readonly SessionView[]>;
  /** Resolves once no session runs. */
  whenEmpty(): Promise<void>;
  /** Ends the threads, if there are any; nothing may be asked of it afterwards. Idempotent. */
  close(): Promise<void>;
  /** What is wanted of sessions that end from now on. */
  record(recording: Recording): void;
  listeners(): readonly HostListenerView[];
  /** Spare connections and how sessions got theirs, for the backend with this slot. */
  pool(slot: number): PoolFigures;
  workers(): readonly WorkerView[];
}
