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
import type { FleetDeps, FleetSettings, GroupSettings } from './fleet-settings.ts';
import { FleetEvents } from './fleet-events.ts';
import { sumOver, type Member } from './fleet-member.ts';
import { Heartbeats } from './heartbeats.ts';
import { HostSockets } from './sockets.ts';
import type { AnswerTo, Question, ToWorker } from './messages.ts';
import { listeningReports } from './listening-reports.ts';
import { Reach } from './serving.ts';
import type { Division } from './share-of.ts';
import { endSessionsOf, sessionViewsOf } from './session-questions.ts';
import { WorkerGroup } from './worker-group.ts';
import type { WorkerThread } from './worker-thread.ts';
import { WorkerStats } from './worker-stats.ts';
import { workerView } from './worker-view.ts';

export class WorkerFleet implements DataPlaneHost {
  readonly #settings: FleetSettings;
  readonly #deps: FleetDeps;
  readonly #report: HostReport;
  /** Those whose engine was chosen, and those for listeners with TLS where that one has none. */
  readonly #groups: readonly WorkerGroup[];
  readonly #heartbeats: Heartbeats;
  readonly #plans = new Plans();
  readonly #sockets: HostSockets;
  readonly #events: FleetEvents;
  #reach = new Reach();
  #recording: Recording = 'none';
  #stopped: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  /** The live counts have a row for each worker of each group. Throws when descriptors have run out. */
  constructor(settings: FleetSettings, deps: FleetDeps, report: HostReport) {
    this.#settings = settings;
    this.#deps = deps;
    this.#report = report;
    this.#sockets = new HostSockets(deps.libc, settings.workers, deps.given);
    this.#events = new FleetEvents(report);
    this.#groups = settings.groups.map(group => this.#createGroup(group));
    this.#groups[0]?.prepare();
    this.#heartbeats = new Heartbeats(
      () => this.#threads,
      () => deps.now(),
      setUnrefTimer,
    );
  }

  get sessions(): number {
    return this.#deps.shared.counts.live(this.#settings.slot);
  }

  get sessionsEver(): number {
    return sumOver(this.#members, stats => stats.sessionsEver);
  }

  get sessionsAborted(): number {
    return sumOver(this.#members, stats => stats.sessionsAborted);
  }

  apply(change: UpstreamChange): void {
    this.#postPlan(change);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#groups.map(group => group.settled()));
  }

  async bind(plan: ListenersPlan, expectWanted: () => void): Promise<void> {
    // Before anything is bound: clients are let in when all workers can serve them, and a stop until then affects none.
    for (const [i, group] of this.#groups.entries()) {
      if (i === 0) await this.#startFirst(group);
      else if (plan.listeners.some(listener => group.serves(listener))) await this.#add(group, expectWanted);
    }
    expectWanted();
    await this.#sockets.bind(plan.listeners);
  }

  async listen(plan: ListenersPlan, upstreams: readonly UpstreamPlan[]): Promise<void> {
    const before = this.listeners();
    const gone = this.#sockets.keysBeside(plan);
    const change = {
      kind: 'listeners',
      listeners: plan,
      upstreams: this.#withOtherReach(plan, upstreams),
    } as const;
    // All workers at once: none lets clients in while another one is emptied.
    this.#sockets.refuseNewClients(gone);
    const served = this.#groups.map(group => group.serveClientsOfDead(gone));
    this.#postPlan(change);
    await Promise.all(served);
    await this.settled();
    this.#sockets.close(gone);
    listeningReports(before, this.listeners(), plan).forEach(this.#report);
  }

  toHandOver(): readonly HandedSockets[] {
    return this.#sockets.toHandOver(this.#plans.listeners?.listeners ?? []);
  }

  handedOver(keys: readonly string[]): void {
    this.#sockets.handedOver(keys);
    this.#planAgain();
  }

  takenOver(): readonly string[] {
    return this.#sockets.takenOver();
  }

  own(): void {
    this.#sockets.own();
    this.#planAgain();
  }

  async leftListeners(): Promise<readonly string[]> {
    return (await this.#ask({ what: 'leftListeners' })).flatMap(names => names ?? []);
  }

  stopListening(): Promise<void> {
    return (this.#stopped ??= this.#stopListening());
  }

  closePools(): void {
    this.#post({ kind: 'closePools' });
  }

  spreadResets(termination: Termination, withinMs: number): void {
    this.#post({ kind: 'spreadResets', termination, withinMs });
  }

  abortSessions(termination: Termination): void {
    this.#post({ kind: 'abortSessions', termination });
    for (const thread of this.#threads) thread.endIfStalled();
  }

  abandonSessions(): void {
    for (const group of this.#groups) group.beforeExit();
  }

  sessionViews(query: SessionQuery): Promise<readonly SessionView[]> {
    return sessionViewsOf(this.#threads, query);
  }

  endSessions(query: SessionQuery): Promise<number> {
    return endSessionsOf(this.#threads, query);
  }

  async whenEmpty(): Promise<void> {
    await this.#ask({ what: 'whenEmpty' });
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  record(recording: Recording): void {
    this.#recording = recording;
    this.#post({ kind: 'record', recording });
  }

  listeners(): readonly HostListenerView[] {
    return this.#sockets.wherePlanned(this.#plans.listeners).map(listener => ({
      ...{ name: listener.name, ...(listener.isStopped && { stopped: true }) },
      addresses: listener.bind.map(({ key }) => this.#sockets.addressOf(key)),
      paused: this.#events.isPaused(listener.name),
      sessions: this.#deps.shared.counts.live(listener.slot),
      engine: this.#groups.find(group => group.serves(listener))?.settings.engine ?? '',
    }));
  }

  figures(): (slot: number) => SlotFigures {
    return WorkerStats.figuresOf(this.#members.map(({ stats }) => stats));
  }

  workers(): readonly WorkerView[] {
    const { counts } = this.#deps.shared;
    return this.#members.map(each => workerView(each, counts.liveOf(each.index, this.#settings.slot)));
  }

  async #stopListening(): Promise<void> {
    // All workers at once: none lets clients in while another one is emptied.
    this.#sockets.refuseNewClients(this.#sockets.keys);
    await Promise.all(this.#groups.map(group => group.stopListening(this.#sockets.keys)));
    // Last: closing a socket for good resets the clients in its queue.
    this.#sockets.close(this.#sockets.keys);
  }

  async #close(): Promise<void> {
    this.#heartbeats.stop();
    await Promise.all(this.#groups.map(group => group.end()));
  }

  get #members(): readonly Member[] {
    return this.#groups.flatMap(({ members }) => members);
  }

  get #threads(): readonly WorkerThread[] {
    return this.#members.map(({ thread }) => thread);
  }

  #createGroup(group: GroupSettings): WorkerGroup {
    return new WorkerGroup(group, this.#settings, {
      ...this.#deps,
      ...{ plans: this.#plans, sockets: this.#sockets, events: this.#events, report: this.#report },
      recording: () => this.#recording,
      divisionOf: upstream => this.#divisionOf(upstream, group),
      onPlaceFreed: () => this.#post({ kind: 'recheckLimits' }),
    });
  }

  async #startFirst(group: WorkerGroup): Promise<void> {
    if (group.hasStarted) return;
    await group.start();
    this.#heartbeats.start();
  }

  /** Rejects when it cannot start, and then all is as before. */
  async #add(group: WorkerGroup, expectWanted: () => void): Promise<void> {
    if (group.hasStarted) return;
    expectWanted();
    const { shared } = this.#deps;
    const { threads } = shared.counts;
    const { workers } = this.#settings;
    shared.expectWorkers(threads + workers);
    try {
      await group.start();
    } catch (error) {
      shared.expectWorkers(threads);
      throw error;
    }
    this.#report({ kind: 'workersAdded', engine: group.settings.engine, workers });
  }

  #divisionOf(upstream: string, { serves }: GroupSettings): Division {
    const { groups, workers } = this.#settings;
    const serving = groups.filter(each => this.#reach.has(upstream, each.serves));
    return { planes: serving.length * workers, isOne: this.#reach.has(upstream, serves) };
  }

  /** The upstreams that change with the listeners, and those that other groups than before have to share. */
  #withOtherReach(plan: ListenersPlan, upstreams: readonly UpstreamPlan[]): readonly UpstreamPlan[] {
    const before = this.#reach;
    this.#reach = new Reach(plan.listeners);
    const named = new Set(upstreams.map(({ name }) => name));
    return [
      ...upstreams,
      ...this.#reach.changesOf(before, this.#plans.all()).filter(({ name }) => !named.has(name)),
    ];
  }

  async #ask<Q extends Question>(question: Q): Promise<AnswerTo<Q>[]> {
    return (await Promise.all(this.#groups.map(group => group.ask(question)))).flat();
  }

  #post(message: ToWorker): void {
    for (const group of this.#groups) group.post(message);
  }

  #planAgain(): void {
    for (const group of this.#groups) group.planAgain();
  }

  #postPlan(plan: Plan): void {
    this.#plans.keep(plan);
    for (const group of this.#groups) group.postPlan(plan);
  }
}
