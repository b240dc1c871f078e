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
import type { UpstreamPlan } from '../model/upstream-plan.ts';
import type { SlotFigures } from '../model/pool-figures.ts';
import type { HandedSockets } from '../support/socket.ts';
import type { SessionQuery, SessionView } from '../model/session-view.ts';
import type { Termination } from '../model/termination.ts';

/** Plans of upstreams: they take effect at once, and cannot fail. */
export type UpstreamChange = Exclude<Plan, { readonly kind: 'listeners' }>;

export interface DataPlaneHost {
  /** Sessions that run now. */
  readonly sessions: number;
  /** Sessions since the start, ended ones included. */
  readonly sessionsEver: number;
  /** Sessions that `abortSessions` and `spreadResets` have ended. */
  readonly sessionsAborted: number;
  apply(change: UpstreamChange): void;
  /** Resolves when every thread has applied what it was sent before, or is dead. */
  settled(): Promise<void>;
  /**
   * Binds what a plan names and is not bound yet, where the host does that. Rejects with an `Lb4Error`, and then
   * everything is as before; it is to be followed by `listen` with the same plan, within the turn.
   * @param expectWanted throws where listening is not wanted any more; called last before anything is bound
   */
  bind(plan: ListenersPlan, expectWanted: () => void): Promise<void>;
  /**
   * Listens as planned, all listeners at once, and changes upstreams in the same step of each data plane. Closes what is
   * not named any more, after taking the clients that had connected already. Upstreams that it names must have been
   * applied. Rejects only where data planes bind by themselves; to be followed by a plan that they can follow then.
   */
  listen(plan: ListenersPlan, upstreams: readonly UpstreamPlan[]): Promise<void>;
  /** The listening sockets, for a successor; undefined where data planes bind by themselves. */
  toHandOver(): readonly HandedSockets[] | undefined;
  /** A successor has taken the sockets of these points: clients that wait there are left to it. */
  handedOver(keys: readonly string[]): void;
  /** The points of the predecessor whose sockets were taken over. */
  takenOver(): readonly string[];
  /** What was taken over is this process's own: until then nothing is done that the predecessor's clients would see. */
  own(): void;
  /** Names of listeners that have gone and have clients left in some data plane. */
  leftListeners(): Promise<readonly string[]>;
  /** Takes the clients that had connected already, then no more. Idempotent. */
  stopListening(): Promise<void>;
  /** Destroys spare connections; new sessions could still connect. */
  closePools(): void;
  /** Resets sessions one after the other over this time, silent ones first; `abortSessions` at its end resets the rest. */
  spreadResets(termination: Termination, withinMs: number): void;
  /** Resets every session, and from now on each client that is still handed over. */
  abortSessions(termination: Termination): void;
  /** The process ends: resets every session within this call, as far as possible. */
  abandonSessions(): void;
  /** Sessions that run, in no order; those of a thread that does not respond are missing. */
  sessionViews(query: SessionQuery): Promise<readonly SessionView[]>;
  /** Resets sessions that match; resolves with their number. Those of a thread that does not respond are left. */
  endSessions(query: SessionQuery): Promise<number>;
  /** Resolves once no session runs. */
  whenEmpty(): Promise<void>;
  /** Ends the threads, if there are any; no other call may follow. Idempotent. */
  close(): Promise<void>;
  /** What is to be reported of sessions that end from now on. */
  record(recording: Recording): void;
  listeners(): readonly HostListenerView[];
  /** Of a slot: a backend's, or a queue's. To be used within the step. */
  figures(): (slot: number) => SlotFigures;
  workers(): readonly WorkerView[];
}
