/**
 * The data plane: listeners, sessions and the upstreams' runtime sides, on one engine in one thread.
 *
 * Place: fed by `load-balancer.ts` (control) with settings and snapshots, reports back through handlers. It
 * holds nothing that control needs to look into, so that it can move to a thread of its own.
 * Invariants: every admitted client becomes exactly one session and exactly one `onSessionClosed`; after
 * `abortSessions` no session begins.
 */
import { UpstreamRuntime, type UpstreamSettings } from './dispatch/upstream-runtime.ts';
import type { ConnectFailure, Engine } from './engine/engine.ts';
import { Listener, type HoldReason, type ListenerSettings } from './listener/listener.ts';
import { SessionLimit } from './listener/session-limit.ts';
import type { DeadlineWheel } from './session/deadline-wheel.ts';
import type { SessionRecord } from './session/session-record.ts';
import { Session, type SessionDeps, type SessionSettings } from './session/session.ts';
import { formatAddress } from './support/address.ts';
import type { Termination } from './termination.ts';
import type { LiveCounts } from './upstream/live-counts.ts';
import type { UpstreamSnapshot } from './upstream/snapshot.ts';

/** After a connect failed for want of descriptors or memory, listeners rest this long. */
const LOCAL_RESOURCES_PAUSE_MS = 200;

export interface DataPlaneSettings {
  /** Sessions at once in all listeners together; Infinity for no limit. */
  readonly maxSessions: number;
  readonly listeners: readonly (ListenerSettings &
    Omit<SessionSettings, 'listener'> & { readonly upstream: string; readonly maxSessions: number })[];
  readonly upstreams: readonly UpstreamSettings[];
}

export interface DataPlaneHandlers {
  onListening(listener: string, address: string): void;
  onListenerPaused(listener: string, reason: HoldReason): void;
  onListenerResumed(listener: string): void;
  onConnectFailed(upstream: string, backend: string, failure: ConnectFailure): void;
  onSessionClosed(record: SessionRecord): void;
  /** A client found no room to wait at a paused listener, and was reset; it never became a session. */
  onTurnedAway(listener: string): void;
  onStrategyFailed(upstream: string, error: unknown): void;
}

export interface DataPlaneDeps {
  readonly engine: Engine;
  readonly wheel: DeadlineWheel;
  readonly counts: LiveCounts;
  now(): number;
  wallClock(): number;
  random(): number;
}

interface Front {
  readonly listener: Listener;
  readonly limit: SessionLimit;
}

export class DataPlane {
  /** Sessions that can run at once; Infinity for no limit. */
  readonly maxSessions: number;
  readonly #handlers: DataPlaneHandlers;
  readonly #deps: DataPlaneDeps;
  readonly #upstreams: ReadonlyMap<string, UpstreamRuntime>;
  readonly #fronts: readonly Front[];
  readonly #instanceLimit: SessionLimit;
  readonly #sessions = new Set<Session>();
  #sessionsEver = 0;
  #abortedAs: Termination | undefined;
  #sessionsAborted = 0;
  /** Which listener is unheld first when the instance has room again; they take turns. */
  #firstUnheld = 0;
  #localResourcesTimer: NodeJS.Timeout | undefined;
  #whenEmpty: (() => void)[] = [];

  constructor(settings: DataPlaneSettings, deps: DataPlaneDeps, handlers: DataPlaneHandlers) {
    this.maxSessions = settings.maxSessions;
    this.#handlers = handlers;
    this.#deps = deps;
    this.#upstreams = new Map(
      settings.upstreams.map(upstream => [
        upstream.name,
        new UpstreamRuntime(upstream, {
          ...deps,
          onStrategyFailed: (name, error) => handlers.onStrategyFailed(name, error),
        }),
      ]),
    );
    this.#fronts = settings.listeners.map(listener => this.#createFront(listener));
    this.#instanceLimit = new SessionLimit(settings.maxSessions, {
      onFull: () => this.#holdAll('instanceLimit'),
      onFree: () => this.#instanceFree(),
    });
  }

  /** Sessions that run now. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Sessions since the start, ended ones included. */
  get sessionsEver(): number {
    return this.#sessionsEver;
  }

  /** Sessions that `abortSessions` has ended. */
  get sessionsAborted(): number {
    return this.#sessionsAborted;
  }

  apply(snapshot: UpstreamSnapshot): void {
    this.#upstreams.get(snapshot.name)?.apply(snapshot);
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
    clearTimeout(this.#localResourcesTimer);
    await Promise.all(this.#fronts.map(({ listener }) => listener.stop()));
  }

  /** Destroys spare connections; new sessions could still connect. */
  closePools(): void {
    for (const upstream of this.#upstreams.values()) upstream.close();
  }

  /** Resets every session, and from now on those of clients that are still handed over. */
  abortSessions(termination: Termination): void {
    this.#abortedAs = termination;
    this.#sessionsAborted += this.#sessions.size;
    for (const session of [...this.#sessions]) session.abort(termination);
  }

  /** Resolves once no session runs. */
  whenEmpty(): Promise<void> {
    if (this.#sessions.size === 0) return Promise.resolve();
    return new Promise(resolve => this.#whenEmpty.push(resolve));
  }

  listeners(): readonly { name: string; addresses: readonly string[]; paused: boolean; sessions: number }[] {
    return this.#fronts.map(({ listener, limit }) => ({
      name: listener.name,
      addresses: listener.addresses.map(formatAddress),
      paused: listener.paused,
      sessions: limit.open,
    }));
  }

  /** Spare connections and how sessions got theirs, per backend of an upstream. */
  pools(
    upstream: string,
  ): ReadonlyMap<string, { readonly parked: number; readonly hits: number; readonly misses: number }> {
    const backends = [...(this.#upstreams.get(upstream)?.backends() ?? [])];
    return new Map(backends.map(({ id, pool }) => [id, pool.stats()]));
  }

  #createFront(settings: DataPlaneSettings['listeners'][number]): Front {
    const { name } = settings;
    const upstream = this.#upstreams.get(settings.upstream);
    if (upstream === undefined) throw new RangeError(`listener ${name} names no known upstream`);
    const sessionSettings: SessionSettings = { ...settings, listener: name };
    const listener = new Listener(settings, this.#deps.engine, {
      onClient: client => {
        const session = new Session(this.#nextSessionId(), client, upstream, sessionSettings, sessionDeps);
        this.#sessions.add(session);
        limit.enter();
        this.#instanceLimit.enter();
        if (this.#abortedAs === undefined) {
          session.start();
        } else {
          this.#sessionsAborted += 1;
          session.abort(this.#abortedAs);
        }
      },
      onListening: address => this.#handlers.onListening(name, formatAddress(address)),
      onPaused: reason => this.#handlers.onListenerPaused(name, reason),
      onResumed: () => this.#handlers.onListenerResumed(name),
      onTurnedAway: () => this.#handlers.onTurnedAway(name),
    });
    const limit = new SessionLimit(settings.maxSessions, {
      onFull: () => listener.hold('listenerLimit'),
      onFree: () => listener.unhold('listenerLimit'),
    });
    const sessionDeps: SessionDeps = {
      ...this.#deps,
      onConnectFailed: (upstreamName, backend, failure) => {
        if (failure.reason === 'localResources') this.#rest();
        this.#handlers.onConnectFailed(upstreamName, backend, failure);
      },
      onEnd: (session, record) => {
        this.#sessions.delete(session);
        this.#handlers.onSessionClosed(record);
        limit.leave();
        this.#instanceLimit.leave();
        // Not before: a client that waited may have taken the place.
        if (this.#sessions.size === 0) this.#announceEmpty();
      },
    };
    return { listener, limit };
  }

  #nextSessionId(): string {
    this.#sessionsEver += 1;
    return this.#sessionsEver.toString(36);
  }

  #announceEmpty(): void {
    const waiting = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const resolve of waiting) resolve();
  }

  /** Descriptors or memory ran out: let sessions end before taking more. */
  #rest(): void {
    this.#holdAll('localResources');
    clearTimeout(this.#localResourcesTimer);
    this.#localResourcesTimer = setTimeout(
      () => this.#unholdAll('localResources'),
      LOCAL_RESOURCES_PAUSE_MS,
    ).unref();
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
