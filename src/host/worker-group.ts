/**
 * Workers with one engine: started together, sent the same plans, and asked together.
 *
 * Place: made by `worker-fleet.ts`, which owns the sockets and the plans, and receives reports of what concerns more than
 * these workers. `fleet-member.ts` makes each worker.
 * Invariants:
 * - A dead worker leaves no count and no descriptor behind.
 * - Each listener is served by one group. A socket that another group has left it goes on with the clients that wait
 *   there: the host keeps it all the time.
 * - A group that fails to start is as if it had never been started.
 */
import type { Recording } from '../data/data-plane.ts';
import type { OwnedSocket } from '../data/listener/fronts.ts';
import type { Wakeup } from '../linux/wakeup.ts';
import type { DataEvent, HostReport } from '../model/data-event.ts';
import type { ListenerPlan, ListenersPlan } from '../model/listener-plan.ts';
import type { Plan, Plans } from '../model/plan.ts';
import type { FleetDeps, FleetSettings, GroupSettings } from './fleet-settings.ts';
import type { FleetEvents } from './fleet-events.ts';
import { createMember, type Member } from './fleet-member.ts';
import type { AnswerTo, FromWorker, Question, ToWorker, WorkerStart } from './messages.ts';
import { MissedPlans } from './missed-plans.ts';
import { isServed } from './serving.ts';
import { shareOf, waitingShare, type Division } from './share-of.ts';
import type { HostSockets } from './sockets.ts';
import { startAll } from './starting.ts';
import { WorkerDescriptors } from './worker-descriptors.ts';
import type { WorkerStats } from './worker-stats.ts';
import type { WorkerThread } from './worker-thread.ts';

export interface GroupDeps extends FleetDeps {
  readonly plans: Plans;
  readonly sockets: HostSockets;
  readonly events: FleetEvents;
  readonly report: HostReport;
  recording(): Recording;
  /** How many workers of all groups serve an upstream, and whether those of this group do. */
  divisionOf(upstream: string): Division;
  /** There may be a place again under a limit at which some worker waits. */
  onPlaceFreed(): void;
}

export class WorkerGroup {
  readonly settings: GroupSettings;
  readonly #fleet: FleetSettings;
  readonly #deps: GroupDeps;
  readonly #missed = new MissedPlans();
  readonly #descriptors: WorkerDescriptors;
  #members: readonly Member[] = [];
  #hasStarted = false;
  #isEnding = false;

  constructor(settings: GroupSettings, fleet: FleetSettings, deps: GroupDeps) {
    this.settings = settings;
    this.#fleet = fleet;
    this.#deps = deps;
    this.#descriptors = new WorkerDescriptors(deps.libc, settings.engine, fleet.descriptors);
  }

  /** None until it is prepared. */
  get members(): readonly Member[] {
    return this.#members;
  }

  get threads(): readonly WorkerThread[] {
    return this.#members.map(({ thread }) => thread);
  }

  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** What `start` needs besides threads. Throws when descriptors have run out. */
  prepare(): void {
    const { first } = this.settings;
    this.#members = Array.from({ length: this.#fleet.workers }, (_, i) => this.#createMember(first + i));
  }

  /** Resolves when all accept. Rejects when one of them does not start; then all have ended. */
  async start(): Promise<void> {
    try {
      if (this.#members.length === 0) this.prepare();
      await startAll(this.threads, () => this.#deps.threadLimits());
      this.#hasStarted = true;
    } catch (error) {
      await this.#endThreads();
      this.#members = [];
      throw error;
    }
  }

  serves(listener: ListenerPlan): boolean {
    return isServed(this.settings.serves, listener);
  }

  /** The plan is among those that are kept. */
  postPlan(plan: Plan): void {
    if (plan.kind === 'listeners') this.#leave(plan.listeners.listeners.filter(each => !this.serves(each)));
    for (const { index, thread } of this.#members) {
      // A worker that stands still gets the latest plan of each kind when it moves again, but no `upstreamGone`.
      if (thread.state === 'stalled') this.#missed.note(index);
      if (thread.state !== 'stalled' || plan.kind === 'upstreamGone')
        thread.post({ kind: 'apply', plans: [this.#shareOf(plan, index)] });
    }
  }

  /** The same listeners, over sockets that are lent now or are not any more; a worker that stands still learns it, too. */
  planAgain(): void {
    const { listeners } = this.#deps.plans;
    if (listeners === undefined) return;
    const plan = { kind: 'listeners', listeners, upstreams: [] } as const;
    for (const { index, thread } of this.#members)
      thread.post({ kind: 'apply', plans: [this.#shareOf(plan, index)] });
  }

  post(message: ToWorker): void {
    // Messages must not pile up at a worker that does not read them.
    const isSuperseded = message.kind === 'recheckLimits';
    for (const thread of this.threads) {
      if (!isSuperseded || thread.state !== 'stalled') thread.post(message);
    }
  }

  ask<Q extends Question>(question: Q): Promise<AnswerTo<Q>[]> {
    return Promise.all(this.threads.map(thread => thread.ask(question)));
  }

  /** Resolves when every worker has applied what it was sent before, or is dead. */
  async settled(): Promise<void> {
    await Promise.all(this.#members.map(({ index }) => this.#missed.whenClear(index)));
    await this.ask({ what: 'settled' });
  }

  /** One of its workers takes the clients that wait at these points for workers that are dead now. */
  async serveClientsOfDead(keys: readonly string[]): Promise<void> {
    const [heir] = this.#inState('running');
    const sockets = this.#clientsOfDead(keys);
    if (sockets.length > 0) await heir?.thread.ask({ what: 'takeClientsOf', sockets });
  }

  async stopListening(keys: readonly string[]): Promise<void> {
    await Promise.all(this.threads.map(thread => thread.stopRestarting()));
    await this.ask({ what: 'stopListening' });
    await this.serveClientsOfDead(keys);
  }

  endStalled(): void {
    for (const thread of this.threads) thread.endIfStalled();
  }

  beforeExit(): void {
    if (this.#members.length > 0) this.#descriptors.beforeExit();
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#endThreads();
  }

  async #endThreads(): Promise<void> {
    const members = this.#members;
    await Promise.all(members.map(({ thread }) => thread.end()));
    for (const { wakeup } of members) wakeup?.close();
  }

  #leave(listeners: readonly ListenerPlan[]): void {
    for (const { name } of listeners)
      for (const { index } of this.#members) this.#deps.events.leave(index, name);
  }

  #createMember(index: number): Member {
    return createMember(
      index,
      this.settings.engine,
      this.#fleet,
      this.#deps,
      ({ stats, statsMemory, wakeup }) => ({
        startWith: () => this.#startOf(index, statsMemory, wakeup),
        onMessage: message => this.#hear(index, stats, message),
        onExit: (reason, restartInMs) => this.#bury(index, stats, reason, restartInMs),
        onEnding: () => this.#descriptors.beforeEnd(index),
        onLeftBehind: () => this.#descriptors.leaveBehind(index),
        onRestarted: () => this.#deps.report({ kind: 'workerRestarted', worker: index + 1 }),
        onStalled: forMs => this.#hearStalled(index, forMs),
        onResumed: () => this.#hearResumed(index),
      }),
    );
  }

  #startOf(index: number, stats: SharedArrayBuffer, wakeup: Wakeup | undefined): WorkerStart {
    const { slot, waitingLimit, workers } = this.#fleet;
    const { memory } = this.#deps.shared;
    return {
      ...{ index, engine: this.settings.engine, slot, memory },
      plans: this.#sharesOf(index),
      stats,
      recording: this.#deps.recording(),
      ...waitingShare(waitingLimit, workers),
      ...(wakeup === undefined ? {} : { wakeFd: wakeup.fd }),
      owners: this.#descriptors.memory,
    };
  }

  #hear(index: number, stats: WorkerStats, message: FromWorker): void {
    if (message.kind === 'placeFreed') {
      stats.hearPlaceFreed();
      this.#deps.onPlaceFreed();
    } else if (message.kind === 'events') {
      for (const event of message.events) if (!this.#isOfOthers(event)) this.#deps.events.hear(index, event);
      stats.eventsTaken += message.events.length;
    }
  }

  /** Whether a listener that another group serves is paused, or not any more, for clients that have come here before. */
  #isOfOthers(event: DataEvent): boolean {
    if (event.kind !== 'listenerPaused' && event.kind !== 'listenerResumed') return false;
    const listeners = this.#deps.plans.listeners?.listeners ?? [];
    return listeners.some(each => each.name === event.listener && !this.serves(each));
  }

  /** Sends the worker what it has missed: the current plans, not each change that led to them. */
  #hearResumed(index: number): void {
    const thread = this.#members.find(member => member.index === index)?.thread;
    thread?.post({ kind: 'apply', plans: this.#sharesOf(index) });
    this.#missed.clear(index);
    thread?.post({ kind: 'recheckLimits' });
    this.#deps.report({ kind: 'workerResumed', worker: index + 1 });
  }

  /** Waiters in other workers must not wait for it; it takes its place in line again when it moves. */
  #hearStalled(index: number, forMs: number): void {
    this.#deps.shared.passBy(index);
    this.#deps.onPlaceFreed();
    this.#deps.report({ kind: 'workerStalled', worker: index + 1, forMs });
  }

  /** Removes what a dead worker held from the counts and from the kernel. */
  #bury(index: number, stats: WorkerStats, reason: string, restartInMs: number | undefined): void {
    const { shared, events, report } = this.#deps;
    // A worker that ended in order has reported its sessions; those of this one only control can report.
    const unrecorded = shared.counts.liveOf(index, this.#fleet.slot);
    const sessions = Math.max(stats.sessionsLost, unrecorded);
    stats.sessionsLost = 0;
    stats.clearFigures(shared.slotsUsed);
    shared.forget(index);
    this.#missed.clear(index);
    this.#descriptors.bury(index);
    stats.hearPlaceFreed();
    events.forget(index);
    if (unrecorded > 0 && this.#deps.recording() !== 'none')
      report({ kind: 'unrecorded', sessions: unrecorded });
    // A worker that ends on request has not failed; one that does not start is reported by the start.
    if (!this.#isEnding && this.#hasStarted)
      report({ kind: 'workerExited', worker: index + 1, reason, sessions, restartInMs });
    this.#deps.onPlaceFreed();
  }

  #clientsOfDead(keys: readonly string[]): readonly OwnedSocket[] {
    const { sockets, plans } = this.#deps;
    const listeners = (plans.listeners?.listeners ?? []).filter(each => this.serves(each));
    return this.#inState('restarting').flatMap(({ index }) =>
      sockets.ownedAt(keys, index - this.settings.first, listeners),
    );
  }

  #sharesOf(index: number): Plan[] {
    return Array.from(this.#deps.plans.all(), plan => this.#shareOf(plan, index));
  }

  #shareOf(plan: Plan, index: number): Plan {
    const share = shareOf(plan, upstream => this.#deps.divisionOf(upstream));
    if (share.kind !== 'listeners') return share;
    return { ...share, listeners: this.#listenersOf(share.listeners, index - this.settings.first) };
  }

  /** @param at the worker's place in its group: those with the same place in other groups have the same sockets */
  #listenersOf(plan: ListenersPlan, at: number): ListenersPlan {
    const all = this.#deps.sockets.inPlan(plan, at);
    const own = all.listeners.filter(each => this.serves(each));
    if (own.length === all.listeners.length) return all;
    const elsewhere = all.listeners.filter(each => !this.serves(each)).flatMap(({ bind }) => bind);
    return { ...all, listeners: own, elsewhere: elsewhere.map(({ key }) => key) };
  }

  #inState(state: WorkerThread['state']): readonly Member[] {
    return this.#members.filter(({ thread }) => thread.state === state);
  }
}
