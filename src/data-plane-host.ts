/**
 * Where the data plane runs, as `LoadBalancer` sees it: in the caller's thread (`LocalDataPlane`) or in workers
 * (`workers/worker-fleet.ts`).
 *
 * Place: between control and data. Everything that is read here is synchronous: what workers know of themselves
 * stands in shared memory.
 */
import { DataPlane, type DataPlaneDeps, type DataPlaneSettings, type Recording } from './data-plane.ts';
import type { HostReport } from './model/data-event.ts';
import { formatAddress } from './support/address.ts';
import type { Termination } from './termination.ts';
import type { UpstreamSnapshot } from './upstream/snapshot.ts';
import type { PoolFigures } from './workers/worker-stats.ts';

export interface ListenerView {
  readonly name: string;
  readonly addresses: readonly string[];
  /** True while new clients wait because a limit is reached. */
  readonly paused: boolean;
  readonly sessions: number;
}

/** One data-plane thread. */
export interface WorkerView {
  /** From 1 on; kept when it is restarted. */
  readonly worker: number;
  readonly state: 'running' | 'stalled' | 'restarting';
  readonly sessions: number;
  readonly sessionsEver: number;
}

export interface DataPlaneHost {
  /** Sessions that run now. */
  readonly sessions: number;
  /** Sessions since the start, ended ones included. */
  readonly sessionsEver: number;
  /** Sessions that `abortSessions` has ended. */
  readonly sessionsAborted: number;
  apply(snapshot: UpstreamSnapshot): void;
  /** Resolves when every thread has applied what it was given before, or is dead. */
  settled(): Promise<void>;
  /** Binds all listeners and accepts; rejects with an `Lb4Error`, to be followed by `close`. */
  listen(): Promise<void>;
  /** Takes the clients that had connected already, then no more. Idempotent. */
  stopListening(): Promise<void>;
  /** Destroys spare connections; new sessions could still connect. */
  closePools(): void;
  /** Resets every session, and from now on those of clients that are still handed over. */
  abortSessions(termination: Termination): void;
  /** The process ends: resets every session within this call, as far as it can. */
  abandonSessions(): void;
  /** Resolves once no session runs. */
  whenEmpty(): Promise<void>;
  /** Ends the threads, if there are any; nothing may be asked of it afterwards. Idempotent. */
  close(): Promise<void>;
  /** What is wanted of sessions that end from now on. */
  record(recording: Recording): void;
  listeners(): readonly ListenerView[];
  /** Spare connections and how sessions got theirs, for the backend with this slot. */
  pool(slot: number): PoolFigures;
  workers(): readonly WorkerView[];
}

type LocalDeps = Omit<DataPlaneDeps, 'report' | 'onPlaceFreed'>;

/** The data plane in the caller's own thread. */
export class LocalDataPlane implements DataPlaneHost {
  readonly #data: DataPlane;
  readonly #deps: LocalDeps;
  readonly #report: HostReport;
  readonly #settings: DataPlaneSettings;

  constructor(settings: DataPlaneSettings, deps: LocalDeps, report: HostReport) {
    this.#settings = settings;
    this.#deps = deps;
    this.#report = report;
    this.#data = new DataPlane(settings, { ...deps, report });
  }

  get sessions(): number {
    return this.#deps.shared.counts.live(this.#settings.slot);
  }

  get sessionsEver(): number {
    return this.#deps.ledger.sessionsEver;
  }

  get sessionsAborted(): number {
    return this.#deps.ledger.sessionsAborted;
  }

  apply(snapshot: UpstreamSnapshot): void {
    this.#data.apply(snapshot);
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  async listen(): Promise<void> {
    await this.#data.listen();
    for (const { name, addresses } of this.listeners())
      for (const address of addresses) this.#report({ kind: 'listening', listener: name, address });
  }

  stopListening(): Promise<void> {
    return this.#data.stopListening();
  }

  closePools(): void {
    this.#data.closePools();
  }

  abortSessions(termination: Termination): void {
    this.#data.abortSessions(termination);
  }

  abandonSessions(): void {
    this.#data.abandonSessions({ by: 'balancer', phase: 'drain', reason: 'stopped' });
  }

  whenEmpty(): Promise<void> {
    return this.#data.whenEmpty();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  record(recording: Recording): void {
    this.#data.recording = recording;
  }

  listeners(): readonly ListenerView[] {
    return this.#data.listeners.map((listener, i) => ({
      name: listener.name,
      addresses: listener.addresses.map(formatAddress),
      paused: listener.paused,
      sessions: this.#deps.shared.counts.live(this.#settings.listeners[i]?.slot ?? this.#settings.slot),
    }));
  }

  pool(slot: number): PoolFigures {
    for (const each of this.#data.pools()) if (each.slot === slot) return each.figures();
    return { parked: 0, hits: 0, misses: 0 };
  }

  workers(): readonly WorkerView[] {
    return [];
  }
}
