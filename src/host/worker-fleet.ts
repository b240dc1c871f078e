/**
 * The data plane in several threads, behind the same interface as in one.
 *
 * Place: control's side. It binds every listening socket once, gives each worker its own, passes on plans and requests,
 * and gathers what workers report.
 * Invariants:
 * - Control keeps its listening sockets while it takes clients, so that clients who wait at a dead worker are served
 *   when it is back. It closes them before the workers drain theirs, so that no client comes in between.
 * - A dead worker leaves no count and no descriptor behind.
 * - A listener is paused once, for all workers.
 */
import type { HostListenerView, WorkerView } from '../model/snapshot.ts';
import type { Recording } from '../data/data-plane.ts';
import type { DataPlaneHost, UpstreamChange } from './data-plane-host.ts';
import type { Wakeup } from '../linux/wakeup.ts';
import type { HostReport } from '../model/data-event.ts';
import type { OwnedSocket } from '../data/listener/fronts.ts';
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
import { createMember, sumOver, type Member } from './fleet-member.ts';
import { Heartbeats } from './heartbeats.ts';
import { HostSockets } from './sockets.ts';
import type { AnswerTo, FromWorker, Question, ToWorker, WorkerStart } from './messages.ts';
import { listeningReports } from './listening-reports.ts';
import { MissedPlans } from './missed-plans.ts';
import { shareOf, waitingShare } from './share-of.ts';
import { endSessionsOf, sessionViewsOf } from './session-questions.ts';
import { startAll } from './starting.ts';
import { WorkerDescriptors } from './worker-descriptors.ts';
import { WorkerStats } from './worker-stats.ts';
import { workerView } from './worker-view.ts';
import type { WorkerThread } from './worker-thread.ts';

export class WorkerFleet implements DataPlaneHost {
  readonly #settings: FleetSettings;
  readonly #deps: FleetDeps;
  readonly #report: HostReport;
  readonly #members: readonly Member[];
  readonly #heartbeats: Heartbeats;
  readonly #plans = new Plans();
  readonly #missed = new MissedPlans();
  readonly #descriptors: WorkerDescriptors;
  readonly #sockets: HostSockets;
  readonly #events: FleetEvents;
  #recording: Recording = 'none';
  #hasStarted = false;
  #stopped: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  /** As many workers as the live counts have rows. Throws when descriptors have run out. */
  constructor(settings: FleetSettings, deps: FleetDeps, report: HostReport) {
    this.#settings = settings;
    this.#deps = deps;
    this.#report = report;
    this.#sockets = new HostSockets(deps.libc, deps.shared.counts.memory.workers, deps.given);
    this.#events = new FleetEvents(report);
    this.#descriptors = new WorkerDescriptors(deps.libc, settings.engine, settings.descriptors);
    this.#members = Array.from({ length: deps.shared.counts.memory.workers }, (_, index) =>
      this.#createMember(index),
    );
    this.#heartbeats = new Heartbeats(this.#threads, () => deps.now(), setUnrefTimer);
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
    await Promise.all(this.#members.map(({ index }) => this.#missed.whenClear(index)));
    await this.#askAll({ what: 'settled' });
  }

  async bind(plan: ListenersPlan, expectWanted: () => void): Promise<void> {
    // Before anything is bound: clients are let in when all workers can serve them, and a stop until then affects none.
    if (!this.#hasStarted) {
      await startAll(this.#threads, () => this.#deps.threadLimits());
      this.#hasStarted = true;
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
    const served = this.#serve(this.#clientsOfDeadWorkers(gone));
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
    return (await this.#askAll({ what: 'leftListeners' })).flatMap(names => names ?? []);
  }

  stopListening(): Promise<void> {
    return (this.#stopped ??= this.#stopListening());
  }

  closePools(): void {
    this.#postAll({ kind: 'closePools' });
  }

  spreadResets(termination: Termination, withinMs: number): void {
    this.#postAll({ kind: 'spreadResets', termination, withinMs });
  }

  abortSessions(termination: Termination): void {
    this.#postAll({ kind: 'abortSessions', termination });
    for (const thread of this.#threads) thread.endIfStalled();
  }

  abandonSessions(): void {
    this.#descriptors.beforeExit();
  }

  sessionViews(query: SessionQuery): Promise<readonly SessionView[]> {
    return sessionViewsOf(this.#threads, query);
  }

  endSessions(query: SessionQuery): Promise<number> {
    return endSessionsOf(this.#threads, query);
  }

  async whenEmpty(): Promise<void> {
    await this.#askAll({ what: 'whenEmpty' });
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  record(recording: Recording): void {
    this.#recording = recording;
    this.#postAll({ kind: 'record', recording });
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
    return WorkerStats.figuresOf(this.#members.map(({ stats }) => stats));
  }

  workers(): readonly WorkerView[] {
    const { counts } = this.#deps.shared;
    return this.#members.map(each => workerView(each, counts.liveOf(each.index, this.#settings.slot)));
  }

  get #threads(): readonly WorkerThread[] {
    return this.#members.map(({ thread }) => thread);
  }

  #createMember(index: number): Member {
    return createMember(index, this.#settings, this.#deps, ({ stats, statsMemory, wakeup }) => ({
      startWith: () => this.#startOf(index, statsMemory, wakeup),
      onMessage: message => this.#hear(index, message),
      onExit: (reason, restartInMs) => this.#bury(index, stats, reason, restartInMs),
      onEnding: () => this.#descriptors.beforeEnd(index),
      onLeftBehind: () => this.#descriptors.leaveBehind(index),
      onRestarted: () => this.#report({ kind: 'workerRestarted', worker: index + 1 }),
      onStalled: forMs => this.#hearStalled(index, forMs),
      onResumed: () => this.#hearResumed(index),
    }));
  }

  #startOf(index: number, stats: SharedArrayBuffer, wakeup: Wakeup | undefined): WorkerStart {
    const { engine, slot, waitingLimit } = this.#settings;
    const { memory } = this.#deps.shared;
    return {
      ...{ index, engine, slot, memory },
      plans: this.#sharesOf(index),
      stats,
      recording: this.#recording,
      ...waitingShare(waitingLimit, memory.counts.workers),
      ...(wakeup === undefined ? {} : { wakeFd: wakeup.fd }),
      owners: this.#descriptors.memory,
    };
  }

  #hear(index: number, message: FromWorker): void {
    const stats = this.#members[index]?.stats;
    if (stats === undefined) return;
    if (message.kind === 'placeFreed') {
      stats.hearPlaceFreed();
      this.#postAll({ kind: 'recheckLimits' });
    } else if (message.kind === 'events') {
      for (const event of message.events) this.#events.hear(index, event);
      stats.eventsTaken += message.events.length;
    }
  }

  /** Sends the worker what it has missed: the current plans, not each change that led to them. */
  #hearResumed(index: number): void {
    const thread = this.#members[index]?.thread;
    thread?.post({ kind: 'apply', plans: this.#sharesOf(index) });
    this.#missed.clear(index);
    thread?.post({ kind: 'recheckLimits' });
    this.#report({ kind: 'workerResumed', worker: index + 1 });
  }

  /** Waiters in other workers must not wait for it; it takes its place in line again when it moves. */
  #hearStalled(index: number, forMs: number): void {
    this.#deps.shared.passBy(index);
    this.#postAll({ kind: 'recheckLimits' });
    this.#report({ kind: 'workerStalled', worker: index + 1, forMs });
  }

  /** Removes what a dead worker held from the counts and from the kernel. */
  #bury(index: number, stats: WorkerStats, reason: string, restartInMs: number | undefined): void {
    const { shared } = this.#deps;
    // A worker that ended in order has reported its sessions; those of this one only control can report.
    const unrecorded = shared.counts.liveOf(index, this.#settings.slot);
    const sessions = Math.max(stats.sessionsLost, unrecorded);
    stats.sessionsLost = 0;
    stats.clearFigures(shared.slotsUsed);
    shared.forget(index);
    this.#missed.clear(index);
    this.#descriptors.bury(index);
    stats.hearPlaceFreed();
    this.#events.forget(index);
    if (unrecorded > 0 && this.#recording !== 'none')
      this.#report({ kind: 'unrecorded', sessions: unrecorded });
    // A worker that ends on request has not failed; one that does not start is reported by the start.
    if (this.#closed === undefined && this.#hasStarted)
      this.#report({ kind: 'workerExited', worker: index + 1, reason, sessions, restartInMs });
    this.#postAll({ kind: 'recheckLimits' });
  }

  async #stopListening(): Promise<void> {
    // All workers at once: none lets clients in while another one is emptied.
    this.#sockets.refuseNewClients(this.#sockets.keys);
    await Promise.all(this.#threads.map(thread => thread.stopRestarting()));
    await this.#askAll({ what: 'stopListening' });
    await this.#serve(this.#clientsOfDeadWorkers(this.#sockets.keys));
    // Last: closing a socket for good resets the clients in its queue.
    this.#sockets.close(this.#sockets.keys);
  }

  #clientsOfDeadWorkers(keys: readonly string[]): readonly OwnedSocket[] {
    const listeners = this.#plans.listeners?.listeners ?? [];
    return this.#inState('restarting').flatMap(({ index }) => this.#sockets.ownedAt(keys, index, listeners));
  }

  async #serve(sockets: readonly OwnedSocket[]): Promise<void> {
    const [heir] = this.#inState('running');
    if (sockets.length > 0) await heir?.thread.ask({ what: 'takeClientsOf', sockets });
  }

  #sharesOf(index: number): Plan[] {
    return Array.from(this.#plans.all(), plan => this.#shareOf(plan, index));
  }

  #shareOf(plan: Plan, index: number): Plan {
    const share = shareOf(plan, this.#members.length);
    if (share.kind !== 'listeners') return share;
    return { ...share, listeners: this.#sockets.inPlan(share.listeners, index) };
  }

  async #close(): Promise<void> {
    this.#heartbeats.stop();
    await Promise.all(this.#threads.map(thread => thread.end()));
    for (const { wakeup } of this.#members) wakeup?.close();
  }

  #inState(state: WorkerThread['state']): readonly Member[] {
    return this.#members.filter(({ thread }) => thread.state === state);
  }

  #askAll<Q extends Question>(question: Q): Promise<AnswerTo<Q>[]> {
    return Promise.all(this.#threads.map(thread => thread.ask(question)));
  }

  #postPlan(plan: Plan): void {
    this.#plans.keep(plan);
    for (const { index, thread } of this.#members) {
      // A worker that stands still gets the latest plan of each kind when it moves again, but no `upstreamGone`.
      if (thread.state === 'stalled') this.#missed.note(index);
      if (thread.state !== 'stalled' || plan.kind === 'upstreamGone')
        thread.post({ kind: 'apply', plans: [this.#shareOf(plan, index)] });
    }
  }

  /** The same listeners, over sockets that are lent now or are not any more; a worker that stands still learns it, too. */
  #planAgain(): void {
    const { listeners } = this.#plans;
    if (listeners === undefined) return;
    const plan = { kind: 'listeners', listeners, upstreams: [] } as const;
    for (const { index, thread } of this.#members)
      thread.post({ kind: 'apply', plans: [this.#shareOf(plan, index)] });
  }

  #postAll(message: ToWorker): void {
    // Messages must not pile up at a worker that does not read them.
    const isSuperseded = message.kind === 'recheckLimits';
    for (const thread of this.#threads) {
      if (!isSuperseded || thread.state !== 'stalled') thread.post(message);
    }
  }
}
