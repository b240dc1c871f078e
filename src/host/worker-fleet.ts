/**
 * The data plane in several threads, behind the same interface as in one.
 *
 * Place: control's side. It binds every listening socket once, gives each worker its own, passes on plans and requests,
 * and gathers what workers report. What a worker's life and death mean is in `worker-group.ts`.
 * Invariants:
 * - Control keeps its listening sockets while it takes clients, so that clients who wait at a dead worker are served
 *   when it is back. It closes them before the workers drain theirs, so that no client comes in between.
 * - A listener is paused once, for all workers.
 */
import type { HostListenerView, WorkerView } from '../model/snapshot.ts';
import type { Recording } from '../data/data-plane.ts';
import type { DataPlaneHost, UpstreamChange } from './data-plane-host.ts';
import type { HostReport } from '../model/data-event.ts';
import type { ListenersPlan } from '../model/listener-plan.ts';
import type { UpstreamPlan } from '../model/upstream-plan.ts';
import type { HandedSockets } from '../support/socket.ts';
import type { SessionQuery, SessionView } from '../model/session-view.ts';
import { Plans, type Plan } from '../model/plan.ts';
import type { SlotFigures } from '../model/pool-figures.ts';
import { setUnrefTimer } from '../support/timer.ts';
import type { Termination } from '../model/termination.ts';
import type { FleetDeps, FleetSettings } from './fleet-settings.ts';
import { FleetEvents } from './fleet-events.ts';
import { sumOver } from './fleet-member.ts';
import { Heartbeats } from './heartbeats.ts';
import { HostSockets } from './sockets.ts';
import { listeningReports } from './listening-reports.ts';
import { endSessionsOf, sessionViewsOf } from './session-questions.ts';
import { WorkerGroup } from './worker-group.ts';
import { WorkerStats } from './worker-stats.ts';
import { workerView } from './worker-view.ts';

export class WorkerFleet implements DataPlaneHost {
  readonly #settings: FleetSettings;
  readonly #deps: FleetDeps;
  readonly #report: HostReport;
  readonly #group: WorkerGroup;
  readonly #heartbeats: Heartbeats;
  readonly #plans = new Plans();
  readonly #sockets: HostSockets;
  readonly #events: FleetEvents;
  #recording: Recording = 'none';
  #stopped: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  /** As many workers as the live counts have rows. Throws when descriptors have run out. */
  constructor(settings: FleetSettings, deps: FleetDeps, report: HostReport) {
    this.#settings = settings;
    this.#deps = deps;
    this.#report = report;
    this.#sockets = new HostSockets(deps.libc, deps.shared.counts.memory.workers, deps.given);
    this.#events = new FleetEvents(report);
    this.#group = new WorkerGroup(settings, {
      ...deps,
      ...{ plans: this.#plans, sockets: this.#sockets, events: this.#events, report },
      recording: () => this.#recording,
      onPlaceFreed: () => this.#group.post({ kind: 'recheckLimits' }),
    });
    this.#heartbeats = new Heartbeats(this.#group.threads, () => deps.now(), setUnrefTimer);
  }

  get sessions(): number {
    return this.#deps.shared.counts.live(this.#settings.slot);
  }

  get sessionsEver(): number {
    return sumOver(this.#group.members, stats => stats.sessionsEver);
  }

  get sessionsAborted(): number {
    return sumOver(this.#group.members, stats => stats.sessionsAborted);
  }

  apply(change: UpstreamChange): void {
    this.#postPlan(change);
  }

  async settled(): Promise<void> {
    await this.#group.settled();
  }

  async bind(plan: ListenersPlan, expectWanted: () => void): Promise<void> {
    // Before anything is bound: clients are let in when all workers can serve them, and a stop until then affects none.
    if (!this.#group.hasStarted) {
      await this.#group.start();
      this.#heartbeats.start();
    }
    expectWanted();
    await this.#sockets.bind(plan.listeners);
  }

  async listen(plan: ListenersPlan, upstreams: readonly UpstreamPlan[]): Promise<void> {
    const before = this.listeners();
    const gone = this.#sockets.keysBeside(plan);
    const change = { kind: 'listeners', listeners: plan, upstreams } as const;
    // All workers at once: none lets clients in while another one is emptied.
    this.#sockets.refuseNewClients(gone);
    const served = this.#group.serveClientsOfDead(gone);
    this.#postPlan(change);
    await served;
    await this.settled();
    this.#sockets.close(gone);
    listeningReports(before, this.listeners()).forEach(this.#report);
  }

  toHandOver(): readonly HandedSockets[] {
    return this.#sockets.toHandOver(this.#plans.listeners?.listeners ?? []);
  }

  handedOver(keys: readonly string[]): void {
    this.#sockets.handedOver(keys);
    this.#group.planAgain();
  }

  takenOver(): readonly string[] {
    return this.#sockets.takenOver();
  }

  own(): void {
    this.#sockets.own();
    this.#group.planAgain();
  }

  async leftListeners(): Promise<readonly string[]> {
    return (await this.#group.ask({ what: 'leftListeners' })).flatMap(names => names ?? []);
  }

  stopListening(): Promise<void> {
    return (this.#stopped ??= this.#stopListening());
  }

  closePools(): void {
    this.#group.post({ kind: 'closePools' });
  }

  spreadResets(termination: Termination, withinMs: number): void {
    this.#group.post({ kind: 'spreadResets', termination, withinMs });
  }

  abortSessions(termination: Termination): void {
    this.#group.post({ kind: 'abortSessions', termination });
    this.#group.endStalled();
  }

  abandonSessions(): void {
    this.#group.beforeExit();
  }

  sessionViews(query: SessionQuery): Promise<readonly SessionView[]> {
    return sessionViewsOf(this.#group.threads, query);
  }

  endSessions(query: SessionQuery): Promise<number> {
    return endSessionsOf(this.#group.threads, query);
  }

  async whenEmpty(): Promise<void> {
    await this.#group.ask({ what: 'whenEmpty' });
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  record(recording: Recording): void {
    this.#recording = recording;
    this.#group.post({ kind: 'record', recording });
  }

  listeners(): readonly HostListenerView[] {
    return this.#sockets.wherePlanned(this.#plans.listeners).map(({ name, slot, bind, isStopped }) => ({
      ...{ name, ...(isStopped && { stopped: true }) },
      addresses: bind.map(({ key }) => this.#sockets.addressOf(key)),
      paused: this.#events.isPaused(name),
      sessions: this.#deps.shared.counts.live(slot),
    }));
  }

  figures(): (slot: number) => SlotFigures {
    return WorkerStats.figuresOf(this.#group.members.map(({ stats }) => stats));
  }

  workers(): readonly WorkerView[] {
    const { counts } = this.#deps.shared;
    return this.#group.members.map(each => workerView(each, counts.liveOf(each.index, this.#settings.slot)));
  }

  async #stopListening(): Promise<void> {
    // All workers at once: none lets clients in while another one is emptied.
    this.#sockets.refuseNewClients(this.#sockets.keys);
    await this.#group.stopListening(this.#sockets.keys);
    // Last: closing a socket for good resets the clients in its queue.
    this.#sockets.close(this.#sockets.keys);
  }

  async #close(): Promise<void> {
    this.#heartbeats.stop();
    await this.#group.end();
  }

  #postPlan(plan: Plan): void {
    this.#plans.keep(plan);
    this.#group.postPlan(plan);
  }
}
