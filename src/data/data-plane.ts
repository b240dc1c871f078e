/**
 * The data plane: listeners, sessions and the upstreams' runtime sides, on one engine in one thread.
 *
 * Place: born empty; plans are the only way in, `report` is the only way out. Control does not look into it: it runs in
 * the caller's thread or, several times, in workers.
 * Invariants:
 * - Every admitted client becomes exactly one session and one `sessionClosed` (where records are wanted) or one
 *   `unrecorded` (where sessions are only counted).
 * - Limits hold over all data planes that share the counts.
 * - What a plan does not change stays: sessions, counts, the position of a strategy, parked connections.
 * - After `abortSessions` no session begins.
 */
import type { Gate } from './admission/gate.ts';
import { gatesOf } from './admission/gates.ts';
import type { UpstreamRuntime } from './dispatch/upstream-runtime.ts';
import { Upstreams } from './dispatch/upstreams.ts';
import type { Engine, RelayOutcome } from '../engine/engine.ts';
import { Intake, type Front, type Ledger } from './intake.ts';
import { Fronts, type OwnedSocket } from './listener/fronts.ts';
import { SessionLimit } from './listener/session-limit.ts';
import type { DataEvent, Report } from '../model/data-event.ts';
import type { ListenerPlan } from '../model/listener-plan.ts';
import type { Plan } from '../model/plan.ts';
import type { UpstreamPlan } from '../model/upstream-plan.ts';
import type { SlotFigures } from '../model/pool-figures.ts';
import type { SessionQuery, SessionView } from '../model/session-view.ts';
import { CountedSessions } from './session/counted-sessions.ts';
import { moveGradually } from './session/gradual-moves.ts';
import { GradualResets } from './session/gradual-resets.ts';
import type { DeadlineWheel } from './session/deadline-wheel.ts';
import { Pacing, repaceGradually } from './session/pacing.ts';
import { endSessions, findSessions } from './session/session-search.ts';
import type { Session } from './session/session.ts';
import { SpreadResets } from './session/spread-resets.ts';
import type { SharedState } from '../shared-memory/shared-state.ts';
import type { Address } from '../support/address.ts';
import { Deadlines } from '../support/deadlines.ts';
import type { SetTimer } from '../support/timer.ts';
import type { Termination } from '../model/termination.ts';

const ONE_UNRECORDED: DataEvent = Object.freeze({ kind: 'unrecorded', sessions: 1 });
/** How long listeners rest after a connect failed because descriptors or memory ran out. */
const LOCAL_RESOURCES_PAUSE_MS = 200;

/** What is reported of sessions that end: nothing, only their number, or a record of each. */
export type Recording = 'none' | 'counted' | 'each';

/** Where gates may send clients. */
export interface KnownUpstreams {
  get(name: string): UpstreamRuntime | undefined;
}

export interface DataPlaneDeps {
  readonly engine: Engine;
  readonly wheel: DeadlineWheel;
  readonly shared: SharedState;
  readonly ledger: Ledger;
  /** Where all sessions of the instance are counted. */
  readonly slot: number;
  /** Before the number in each session's id, so that ids of several workers differ; default ''. */
  readonly idPrefix?: string;
  readonly setTimer: SetTimer;
  now(): number;
  wallClock(): number;
  random(): number;
  readonly report: Report;
  /** What clients of a listener have to pass besides its limits; default: nothing. */
  readonly gatesOf?: (plan: ListenerPlan, upstreams: KnownUpstreams) => readonly Gate<UpstreamRuntime>[];
  /** Other workers wait for a place that is free now: all workers, this one too, have to `recheckLimits`. */
  onPlaceFreed?(): void;
}

export class DataPlane {
  /** Building a record costs time on every session. */
  recording: Recording = 'none';
  readonly #deps: DataPlaneDeps;
  readonly #upstreams: Upstreams;
  readonly #fronts: Fronts<UpstreamRuntime>;
  readonly #instanceLimit: SessionLimit;
  readonly #intake: Intake;
  readonly #sessions: CountedSessions<Session<Front>>;
  readonly #resets = new GradualResets();
  readonly #spread: SpreadResets;
  /** What plans have asked for and is not done yet. */
  #underway: Promise<unknown> = Promise.resolve();
  #isStopped = false;
  #cancelRest: (() => void) | undefined;
  #whenEmpty: (() => void)[] = [];

  constructor(deps: DataPlaneDeps) {
    this.#deps = deps;
    const { engine, report, shared } = deps;
    this.#sessions = new CountedSessions(deps.setTimer);
    const onPlaceFreed = (): void => deps.onPlaceFreed?.();
    const now = (): number => deps.now();
    this.#upstreams = new Upstreams({
      ...deps,
      onOthersFirst: onPlaceFreed,
      follow: work => this.#follow(work),
      onBetter: upstream => moveGradually(upstream, this.#sessions),
    });
    this.#instanceLimit = new SessionLimit(deps.slot, shared.counts, {
      onFull: () => this.#fronts.holdAll('instanceLimit'),
      onFree: () => this.#fronts.unholdInTurn('instanceLimit', () => this.#instanceLimit.isFull),
      onPlaceFreed,
    });
    this.#fronts = new Fronts({
      ...{
        engine,
        counts: shared.counts,
        counters: shared.counters,
        startRates: shared.startRates,
        onPlaceFreed,
        now,
      },
      ...{ report, setTimer: deps.setTimer },
      onClient: (front, client) => this.#intake.take(front, client),
      upstreamOf: name => this.#upstreamOf(name),
      instanceLimit: this.#instanceLimit,
      gatesOf: (plan, tls) =>
        deps.gatesOf?.(plan, this.#upstreams) ?? gatesOf(plan, shared, name => this.#upstreamOf(name), tls),
      pacing: new Pacing(shared.byteTimes, now, deps.setTimer),
      onRepaced: front => repaceGradually(front, this.#sessions),
      onExhausted: () => this.#rest(),
    });
    this.#spread = new SpreadResets({
      ...{ setTimer: deps.setTimer, now, random: () => deps.random() },
      running: () => this.#sessions.size,
      onReset: () => (deps.ledger.sessionsAborted += 1),
    });
    this.#intake = new Intake(this.#sessions, deps.ledger, {
      ...deps,
      deadlines: new Deadlines(now, deps.setTimer),
      isRecording: () => this.recording === 'each',
      report: event => {
        if (event.kind === 'connectFailed' && event.failure.reason === 'localResources') this.#rest();
        report(event);
      },
      onEnd: (session, termination, relayed) => this.#ended(session, termination, relayed),
    });
  }

  addressesOf(listener: string): readonly Address[] {
    return this.#fronts.addressesOf(listener);
  }

  isPaused(listener: string): boolean {
    return this.#fronts.isPaused(listener);
  }

  /** Sessions may wait for the promises of a pool. */
  get parks(): boolean {
    return this.#upstreams.park;
  }

  /** Takes over a plan. `settled` resolves when what takes longer than this call is done, too. */
  apply(plan: Plan): void {
    switch (plan.kind) {
      case 'upstream':
        this.#applyUpstream(plan.upstream);
        return;
      case 'upstreamGone':
        this.#upstreams.remove(plan.name);
        this.#resets.forget(plan.name);
        return;
      case 'listeners':
        if (!this.#isStopped) this.#follow(this.#afterAll(() => this.#listenAs(plan)));
        return;
    }
  }

  /**
   * Resolves when everything is as the plans applied before want it; rejects with LB4_LISTEN_FAILED when it cannot
   * listen as planned.
   */
  async settled(): Promise<void> {
    await this.#underway;
  }

  /** Takes the clients that had connected already, then no more. Idempotent. */
  async stopListening(): Promise<void> {
    this.#isStopped = true;
    this.#cancelRest?.();
    await this.#underway.catch(() => undefined);
    await this.#fronts.stop();
  }

  /** Sockets of a worker that has died: takes the clients that wait there, then closes the sockets. */
  takeClientsOf(sockets: readonly OwnedSocket[]): Promise<void> {
    return this.#fronts.takeClientsOf(sockets);
  }

  /** Sessions that run, in no order. */
  sessions(query: SessionQuery): readonly SessionView[] {
    return findSessions(this.#sessions, query).map(({ view }) => view);
  }

  /** Resets those that match; resolves with their number. */
  endSessions(query: SessionQuery): Promise<number> {
    return endSessions(this.#sessions, query);
  }

  /** Listeners that have gone and have clients here: sessions, or some that wait for a place. */
  get leftListeners(): readonly string[] {
    return this.#fronts.left;
  }

  /** Destroys spare connections; new sessions could still connect. */
  closePools(): void {
    this.#upstreams.closePools();
  }

  /** Resets sessions one after the other over this time, silent ones first. */
  spreadResets(termination: Termination, withinMs: number): void {
    this.#spread.begin(this.#sessions, withinMs, termination);
  }

  /** Resets every session, and from now on each client that is still handed over. */
  abortSessions(termination: Termination): void {
    this.#spread.end();
    this.#intake.abortAll(termination);
    // A waiter must not get the place of a session that is reset here.
    this.#upstreams.closeLines();
    for (const session of [...this.#sessions]) {
      // One that was reset a moment ago, and is not over yet, has been counted.
      if (session.abort(termination)) this.#deps.ledger.sessionsAborted += 1;
    }
    for (const { front, client } of this.#fronts.takeWaiting()) this.#intake.take(front, client);
    this.#announceEmpty();
  }

  /** For a thread that dies: resets every session and accounts for it within this call. */
  abandonSessions(termination: Termination): void {
    this.#intake.abortAll(termination);
    for (const session of [...this.#sessions]) {
      try {
        session.abandon(termination);
      } catch {
        // The thread dies of a defect, which may be in this session; the others are reset all the same.
      }
    }
  }

  /** Resolves once no session runs and no client waits that was accepted before. */
  whenEmpty(): Promise<void> {
    if (this.#isEmpty()) return Promise.resolve();
    return new Promise(resolve => this.#whenEmpty.push(resolve));
  }

  /** Another worker has freed a place: there may be one for a client that waits here. */
  recheckLimits(): void {
    this.#fronts.recheckLimits();
    this.#instanceLimit.recheck();
    this.#upstreams.recheckLines();
    this.#announceEmpty();
  }

  /** By the slots of backends and queues. */
  figures(): Iterable<{ readonly slot: number; figures(): SlotFigures }> {
    return this.#upstreams.figures();
  }

  #upstreamOf(name: string): UpstreamRuntime {
    const upstream = this.#upstreams.get(name);
    if (upstream === undefined)
      throw new RangeError(`the plan of no upstream ${name} has come before its listener's`);
    return upstream;
  }

  #ended(session: Session<Front>, termination: Termination, relayed: RelayOutcome | undefined): void {
    const { report } = this.#deps;
    this.#sessions.delete(session);
    if (this.recording === 'each') {
      report({ kind: 'sessionClosed', record: session.record(termination, relayed) });
    } else if (this.recording === 'counted') report(ONE_UNRECORDED);
    // Before its places: a client that gets one of them is asked by gates at once.
    session.passage?.leave();
    this.#fronts.leave(session.front);
    // Not earlier: a client that waited may have taken the place.
    this.#announceEmpty();
  }

  #applyUpstream(plan: UpstreamPlan, mayMove = true): void {
    this.#upstreams.apply(plan, mayMove);
    this.#resets.apply(plan, this.#sessions);
  }

  async #listenAs({ listeners, upstreams }: Extract<Plan, { kind: 'listeners' }>): Promise<void> {
    for (const plan of listeners.listeners) expectTls(plan, this.#deps.engine);
    // In one step with the listeners, which `Fronts.apply` changes before it waits for anything.
    // With a configuration a name may get other backends: sessions that connect stay with the backend they began with.
    for (const upstream of upstreams) this.#applyUpstream(upstream, false);
    this.#deps.shared.counters.adopt(listeners.counters);
    this.#instanceLimit.configure(listeners.limits.maxSessions);
    await this.#fronts.apply(listeners.listeners, listeners.elsewhere);
    this.#announceEmpty();
  }

  /** Calls `work` when everything asked for before is over, whether it succeeded or failed. */
  async #afterAll(work: () => Promise<void>): Promise<void> {
    await this.#underway.catch(() => undefined);
    await work();
  }

  #follow(work: Promise<void>): void {
    const before = this.#underway.catch(() => undefined);
    this.#underway = Promise.all([before, work]);
    // A failure that no caller awaits is not an unhandled rejection.
    this.#underway.catch(() => undefined);
  }

  #isEmpty(): boolean {
    return this.#sessions.size === 0 && this.#fronts.isEmpty;
  }

  #announceEmpty(): void {
    if (this.#whenEmpty.length === 0 || !this.#isEmpty()) return;
    const waiting = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const resolve of waiting) resolve();
  }

  /** Descriptors or memory ran out: let sessions end before taking more. */
  #rest(): void {
    this.#fronts.holdAll('localResources');
    this.#cancelRest?.();
    this.#cancelRest = this.#deps.setTimer(
      () => this.#fronts.unholdAll('localResources'),
      LOCAL_RESOURCES_PAUSE_MS,
    );
  }
}

/** Groups of workers see to it that none gets a plan which its engine cannot follow. */
function expectTls({ name, tls, needsTls }: ListenerPlan, engine: Engine): void {
  if (engine.tls !== undefined || (tls === undefined && needsTls !== true)) return;
  throw new RangeError(`listener ${name} needs TLS, and the engine ${engine.name} has none`);
}
