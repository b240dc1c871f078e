/**
 * The data plane: listeners, sessions and the upstreams' runtime sides, on one engine in one thread.
 *
 * Place: fed by `load-balancer.ts` (control) with settings and snapshots, reports back through `report`. It
 * holds nothing that control needs to look into: it runs in the caller's thread or, several times, in workers.
 * Invariants: every admitted client becomes exactly one session and, where records are wanted, exactly one
 * `sessionClosed` or, while they are only counted, one `unrecorded`; limits hold over all data planes that share the counts; after `abortSessions` no session
 * begins.
 */
import { UpstreamRuntime, type UpstreamSettings } from './dispatch/upstream-runtime.ts';
import type { Connection, Engine, ListeningSocket } from './engine/engine.ts';
import { Listener, type ListenerSettings } from './listener/listener.ts';
import type { DataEvent, HoldReason, Report } from './model/data-event.ts';
import { SessionLimit } from './listener/session-limit.ts';
import { moveGradually } from './session/gradual-moves.ts';
import { GradualResets } from './session/gradual-resets.ts';
import type { DeadlineWheel } from './session/deadline-wheel.ts';
import { SessionList } from './session/session-list.ts';
import { Session, type SessionDeps, type SessionSettings } from './session/session.ts';
import type { SetTimer } from './support/timer.ts';
import type { Termination } from './termination.ts';
import type { SharedState } from './shared-memory/shared-state.ts';
import type { UpstreamSnapshot } from './upstream/snapshot.ts';
import type { PoolFigures } from './workers/worker-stats.ts';

const ONE_UNRECORDED: DataEvent = Object.freeze({ kind: 'unrecorded', sessions: 1 });
/** After a connect failed for want of descriptors or memory, listeners rest this long. */
const LOCAL_RESOURCES_PAUSE_MS = 200;

export interface DataPlaneSettings {
  /** Sessions at once in all listeners together; Infinity for no limit. */
  readonly maxSessions: number;
  /** Where all sessions of the instance are counted. */
  readonly slot: number;
  readonly listeners: readonly (ListenerSettings &
    Omit<SessionSettings, 'listener'> & {
      readonly upstream: string;
      readonly maxSessions: number;
      /** Where its sessions are counted. */
      readonly slot: number;
    })[];
  readonly upstreams: readonly UpstreamSettings[];
}

/** Of sessions that end: nothing is told, only how many there are, or a record of each. */
export type Recording = 'none' | 'counted' | 'each';

/** Figures that somebody else reads. */
export interface Ledger {
  sessionsEver: number;
  /** Sessions that `abortSessions` has ended. */
  sessionsAborted: number;
}

export interface DataPlaneDeps {
  readonly engine: Engine;
  readonly wheel: DeadlineWheel;
  readonly shared: SharedState;
  readonly ledger: Ledger;
  /** Before the number in each session's id, so that ids of several workers differ; default ''. */
  readonly idPrefix?: string;
  readonly setTimer: SetTimer;
  now(): number;
  wallClock(): number;
  random(): number;
  readonly report: Report;
  /** Other workers wait for a place that is free now: all of them, this one too, are to `recheckLimits`. */
  onPlaceFreed?(): void;
}

interface Front {
  readonly listener: Listener;
  readonly limit: SessionLimit;
  /** Begins a client's session, which is counted already. */
  readonly begin: (client: Connection) => void;
}

export class DataPlane {
  /** Building a record costs time on every session. */
  recording: Recording = 'none';
  readonly #deps: DataPlaneDeps;
  readonly #upstreams: ReadonlyMap<string, UpstreamRuntime>;
  readonly #fronts: readonly Front[];
  readonly #instanceLimit: SessionLimit;
  readonly #sessions = new SessionList<Session>();
  readonly #resets = new GradualResets();
  #abortedAs: Termination | undefined;
  /** Which listener is unheld first when the instance has room again; they take turns. */
  #firstUnheld = 0;
  #cancelRest: (() => void) | undefined;
  #whenEmpty: (() => void)[] = [];

  constructor(settings: DataPlaneSettings, deps: DataPlaneDeps) {
    this.#deps = deps;
    this.#upstreams = new Map(
      settings.upstreams.map(upstream => [
        upstream.name,
        new UpstreamRuntime(upstream, {
          ...deps,
          onOthersTurn: () => deps.onPlaceFreed?.(),
        }),
      ]),
    );
    this.#fronts = settings.listeners.map(listener => this.#createFront(listener));
    this.#instanceLimit = new SessionLimit(settings.maxSessions, settings.slot, deps.shared.counts, {
      onFull: () => this.#holdAll('instanceLimit'),
      onFree: () => this.#instanceFree(),
      onPlaceFreed: () => deps.onPlaceFreed?.(),
    });
  }

  get listeners(): readonly Listener[] {
    return this.#fronts.map(({ listener }) => listener);
  }

  apply(snapshot: UpstreamSnapshot): void {
    const isBetterElsewhere = this.#upstreams.get(snapshot.name)?.apply(snapshot) === true;
    if (isBetterElsewhere) moveGradually(snapshot.name, this.#sessions);
    this.#resets.apply(snapshot, this.#sessions);
  }

  /** Binds all listeners; rejects with `LB4_LISTEN_FAILED`, with nothing left bound. */
  async listen(): Promise<void> {
    try {
      for (const { listener } of this.#fronts) await listener.start();
    } catch (error) {
      await this.stopListening();
      throw error;
    }
  }

  /** Takes the clients that had connected already, then no more. Idempotent. */
  async stopListening(): Promise<void> {
    this.#cancelRest?.();
    await Promise.all(this.#fronts.map(({ listener }) => listener.stop()));
  }

  /** Per listener: sockets whose worker has died. Takes the clients that wait there, then closes the sockets. */
  async takeClientsOf(sockets: readonly (readonly ListeningSocket[])[]): Promise<void> {
    const taking = this.#fronts.flatMap(({ listener }, i) =>
      (sockets[i] ?? []).map(socket => listener.takeClientsOf(socket)),
    );
    await Promise.all(taking);
  }

  /** Destroys spare connections; new sessions could still connect. */
  closePools(): void {
    for (const upstream of this.#upstreams.values()) upstream.close();
  }

  /** Resets every session, and from now on those of clients that are still handed over. */
  abortSessions(termination: Termination): void {
    this.#abortedAs = termination;
    this.#deps.ledger.sessionsAborted += this.#sessions.size;
    // Nobody who waits is to get a place that somebody else loses here.
    for (const { line } of this.#upstreams.values()) line.close();
    for (const session of [...this.#sessions]) session.abort(termination);
    for (const { listener, begin } of this.#fronts)
      for (const client of listener.takeWaiting()) begin(client);
    this.#announceEmpty();
  }

  /** For a thread that dies: resets every session and accounts for it within this call. */
  abandonSessions(termination: Termination): void {
    this.#abortedAs = termination;
    for (const session of [...this.#sessions]) {
      try {
        session.abandon(termination);
      } catch {
        // It dies of a defect, and that may be just here; the others are reset all the same.
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
    for (const { limit } of this.#fronts) limit.recheck();
    this.#instanceLimit.recheck();
    for (const { line } of this.#upstreams.values()) line.recheck();
    this.#announceEmpty();
  }

  /** Spare connections and how sessions got theirs, per backend. */
  *pools(): Iterable<{ readonly slot: number; figures(): PoolFigures }> {
    for (const upstream of this.#upstreams.values()) {
      for (const { slot, pool } of upstream.backends()) yield { slot, figures: () => pool.stats() };
    }
  }

  #createFront(settings: DataPlaneSettings['listeners'][number]): Front {
    const { name } = settings;
    const { report } = this.#deps;
    const upstream = this.#upstreams.get(settings.upstream);
    if (upstream === undefined) throw new RangeError(`listener ${name} names no known upstream`);
    const sessionSettings: SessionSettings = { ...settings, listener: name };
    const listener = new Listener(settings, this.#deps.engine, {
      onClient: client => this.#admit(limit, begin, client),
      onPaused: reason => report({ kind: 'listenerPaused', listener: name, reason }),
      onResumed: () => report({ kind: 'listenerResumed', listener: name }),
      onTurnedAway: () => report({ kind: 'turnedAway', listener: name, times: 1 }),
      onExhausted: () => this.#rest(),
    });
    const limit = new SessionLimit(settings.maxSessions, settings.slot, this.#deps.shared.counts, {
      onFull: () => listener.hold('listenerLimit'),
      onFree: () => listener.unhold('listenerLimit'),
      onPlaceFreed: () => this.#deps.onPlaceFreed?.(),
    });
    const sessionDeps: SessionDeps = {
      ...this.#deps,
      report: event => {
        if (event.kind === 'connectFailed' && event.failure.reason === 'localResources') this.#rest();
        report(event);
      },
      onEnd: (session, record) => {
        this.#sessions.delete(session);
        if (this.recording === 'each') report({ kind: 'sessionClosed', record: record() });
        else if (this.recording === 'counted') report(ONE_UNRECORDED);
        limit.leave();
        this.#instanceLimit.leave();
        // Not before: a client that waited may have taken the place.
        this.#announceEmpty();
      },
    };
    const begin = (client: Connection): void => {
      const id = this.#nextSessionId();
      const session = new Session(id, client, upstream, sessionSettings, sessionDeps);
      this.#sessions.add(session);
      if (this.#abortedAs === undefined) {
        session.start();
        return;
      }
      limit.enterAnyway();
      this.#instanceLimit.enterAnyway();
      this.#deps.ledger.sessionsAborted += 1;
      session.abort(this.#abortedAs);
    };
    return { listener, limit, begin };
  }

  /** False when there is no place, in this listener or in the instance; one of the two holds the listener then. */
  #admit(limit: SessionLimit, begin: Front['begin'], client: Connection): boolean {
    if (this.#abortedAs === undefined) {
      if (limit.isFull || this.#instanceLimit.isFull || !limit.enter()) return false;
      if (!this.#instanceLimit.enter()) {
        limit.leave();
        return false;
      }
    }
    begin(client);
    return true;
  }

  #nextSessionId(): string {
    const { ledger, idPrefix = '' } = this.#deps;
    ledger.sessionsEver += 1;
    return `${idPrefix}${ledger.sessionsEver.toString(36)}`;
  }

  #isEmpty(): boolean {
    return this.#sessions.size === 0 && this.#fronts.every(({ listener }) => listener.waiting === 0);
  }

  #announceEmpty(): void {
    if (this.#whenEmpty.length === 0 || !this.#isEmpty()) return;
    const waiting = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const resolve of waiting) resolve();
  }

  /** Descriptors or memory ran out: let sessions end before taking more. */
  #rest(): void {
    this.#holdAll('localResources');
    this.#cancelRest?.();
    this.#cancelRest = this.#deps.setTimer(() => this.#unholdAll('localResources'), LOCAL_RESOURCES_PAUSE_MS);
  }

  #holdAll(reason: HoldReason): void {
    for (const { listener } of this.#fronts) listener.hold(reason);
  }

  #unholdAll(reason: HoldReason): void {
    for (const { listener } of this.#fronts) listener.unhold(reason);
  }

  /** Lets listeners go on one after the other: the clients that wait at the first may fill the instance again. */
  #instanceFree(): void {
    const count = this.#fronts.length;
    for (let i = 0; i < count && !this.#instanceLimit.isFull; i++) {
      this.#fronts[(this.#firstUnheld + i) % count]?.listener.unhold('instanceLimit');
    }
    this.#firstUnheld = (this.#firstUnheld + 1) % count;
  }
}
