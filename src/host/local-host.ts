/**
 * The data plane in the caller's own thread.
 *
 * Place: behind the interface of data-plane-host.ts. Like `WorkerFleet` it owns the listening sockets where the C
 * library can be loaded; elsewhere the engine binds them.
 */
import type { HostListenerView, WorkerView } from '../model/snapshot.ts';
import { DataPlane, type DataPlaneDeps, type Recording } from '../data/data-plane.ts';
import type { DataPlaneHost, UpstreamChange } from './data-plane-host.ts';
import type { Libc } from '../linux/libc.ts';
import type { HostReport } from '../model/data-event.ts';
import type { ListenersPlan } from '../model/listener-plan.ts';
import type { UpstreamPlan } from '../model/upstream-plan.ts';
import { NO_FIGURES, type SlotFigures } from '../model/pool-figures.ts';
import type { SessionQuery, SessionView } from '../model/session-view.ts';
import { formatAddress } from '../support/address.ts';
import type { Termination } from '../model/termination.ts';
import { listeningReports } from './listening-reports.ts';
import type { HandedSockets } from '../support/socket.ts';
import { noteDelays } from './loop-delay.ts';
import { HostSockets, listeningOnDuplicates, wherePlanned, type Given } from './sockets.ts';

export type LocalDeps = Omit<DataPlaneDeps, 'report' | 'onPlaceFreed'> & {
  /** Absent when it cannot be loaded. */
  readonly libc?: Libc | undefined;
  /** Listening sockets to take over; none where there is no C library. */
  readonly given?: Given;
};

export class LocalHost implements DataPlaneHost {
  readonly #data: DataPlane;
  readonly #deps: LocalDeps;
  readonly #report: HostReport;
  readonly #sockets: HostSockets | undefined;
  #plan: ListenersPlan | undefined;
  #isStopped = false;
  #endNoting: (() => void) | undefined;

  constructor(deps: LocalDeps, report: HostReport) {
    this.#deps = deps;
    this.#report = report;
    const { libc } = deps;
    const engine = libc === undefined ? deps.engine : listeningOnDuplicates(deps.engine, libc);
    this.#data = new DataPlane({ ...deps, engine, report });
    this.#sockets = libc && new HostSockets(libc, 1, deps.given);
  }

  get sessions(): number {
    return this.#deps.shared.counts.live(this.#deps.slot);
  }

  get sessionsEver(): number {
    return this.#deps.ledger.sessionsEver;
  }

  get sessionsAborted(): number {
    return this.#deps.ledger.sessionsAborted;
  }

  apply(change: UpstreamChange): void {
    this.#data.apply(change);
  }

  async settled(): Promise<void> {
    // `listen` reports that it cannot listen.
    await this.#data.settled().catch(() => undefined);
  }

  async bind(plan: ListenersPlan, expectWanted: () => void): Promise<void> {
    expectWanted();
    await this.#sockets?.bind(plan.listeners);
  }

  async listen(plan: ListenersPlan, upstreams: readonly UpstreamPlan[]): Promise<void> {
    const before = this.listeners();
    const { shared, slot, now, setTimer } = this.#deps;
    this.#endNoting ??= noteDelays(shared.counters.cells(slot), now, setTimer);
    this.#plan = plan;
    const listeners = this.#sockets?.inPlan(plan, 0) ?? whereBoundByEngine(plan);
    this.#data.apply({ kind: 'listeners', listeners, upstreams });
    await this.#data.settled();
    this.#sockets?.close(this.#sockets.keysBeside(plan));
    listeningReports(before, this.listeners(), plan).forEach(this.#report);
  }

  toHandOver(): readonly HandedSockets[] | undefined {
    return this.#sockets?.toHandOver(this.#plan?.listeners ?? []);
  }

  handedOver(keys: readonly string[]): void {
    this.#sockets?.handedOver(keys);
    this.#planAgain();
  }

  takenOver(): readonly string[] {
    return this.#sockets?.takenOver() ?? [];
  }

  own(): void {
    this.#sockets?.own();
    this.#planAgain();
  }

  leftListeners(): Promise<readonly string[]> {
    return Promise.resolve(this.#data.leftListeners);
  }

  async stopListening(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#sockets?.refuseNewClients(this.#sockets.keys);
    await this.#data.stopListening();
    this.#sockets?.close(this.#sockets.keys);
  }

  closePools(): void {
    this.#data.closePools();
  }

  spreadResets(termination: Termination, withinMs: number): void {
    this.#data.spreadResets(termination, withinMs);
  }

  abortSessions(termination: Termination): void {
    this.#data.abortSessions(termination);
  }

  abandonSessions(): void {
    this.#data.abandonSessions({ by: 'balancer', phase: 'drain', reason: 'stopped' });
  }

  sessionViews(query: SessionQuery): Promise<readonly SessionView[]> {
    return Promise.resolve(this.#data.sessions(query));
  }

  endSessions(query: SessionQuery): Promise<number> {
    return this.#data.endSessions(query);
  }

  whenEmpty(): Promise<void> {
    return this.#data.whenEmpty();
  }

  close(): Promise<void> {
    this.#endNoting?.();
    return Promise.resolve();
  }

  record(recording: Recording): void {
    this.#data.recording = recording;
  }

  listeners(): readonly HostListenerView[] {
    return (this.#plan?.listeners ?? []).map(({ name, slot, isStopped }) => ({
      name,
      ...(isStopped && { stopped: true }),
      // Several sockets may have one address.
      addresses: [...new Set(this.#data.addressesOf(name).map(formatAddress))],
      paused: this.#data.isPaused(name),
      engine: 'node',
      sessions: this.#deps.shared.counts.live(slot),
    }));
  }

  /** The same listeners, over sockets that are lent now or are not any more. */
  #planAgain(): void {
    if (this.#plan === undefined || this.#sockets === undefined) return;
    this.#data.apply({ kind: 'listeners', listeners: this.#sockets.inPlan(this.#plan, 0), upstreams: [] });
  }

  figures(): (slot: number) => SlotFigures {
    const bySlot = new Map(Array.from(this.#data.figures(), each => [each.slot, each]));
    return slot => bySlot.get(slot)?.figures() ?? NO_FIGURES;
  }

  workers(): readonly WorkerView[] {
    return [];
  }
}

/** Sockets of the engine's own are never lent. */
function whereBoundByEngine(plan: ListenersPlan): ListenersPlan {
  return { ...plan, listeners: plan.listeners.map(listener => wherePlanned(listener, () => false)) };
}
