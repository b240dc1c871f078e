/**
 * One client connection from accept to termination: find a backend, relay, account for it.
 *
 * Place: made by the data plane for each client a listener admits; written once over the engine contract, it
 * never sees a socket. States: dispatching → relaying → ended, or dispatching → ended.
 * Invariants: it ends exactly once, with one termination; its lease and its pooled connection are given back
 * exactly then; after that it holds no connection, timer or listener.
 */
import {
  dispatch,
  type DispatcherDeps,
  type DispatchProgress,
  type DispatchResult,
} from '../dispatch/dispatcher.ts';
import type { UpstreamRuntime } from '../dispatch/upstream-runtime.ts';
import type { Connection, Engine, Relay, RelayOutcome } from '../engine/engine.ts';
import type { Termination } from '../termination.ts';
import type { DeadlineWheel, Timed } from './deadline-wheel.ts';
import type { SessionRecord } from './session-record.ts';
import { refuse, type WhenUnavailable } from './refuse.ts';

/** What a session takes from its listener's configuration; a timeout of 0 is none. */
export interface SessionSettings {
  readonly listener: string;
  readonly whenUnavailable: WhenUnavailable;
  readonly timeouts: { readonly idleMs: number; readonly halfClosedMs: number; readonly lifetimeMs: number };
}

export interface SessionDeps extends DispatcherDeps {
  readonly engine: Engine;
  readonly wheel: DeadlineWheel;
  /** Milliseconds since 1970. */
  wallClock(): number;
  /** `record` builds what is known of the session; it is only good for the time of the call. */
  onEnd(session: Session, record: () => SessionRecord): void;
}

type Connected = DispatchResult & { readonly ok: true };

type State =
  | { readonly name: 'dispatching'; readonly cancel: () => DispatchProgress }
  | { readonly name: 'relaying'; readonly relay: Relay; readonly backend: Connected }
  | { readonly name: 'ended' };

export class Session implements Timed {
  wheelSlot = -1;
  readonly id: string;
  readonly #client: Connection;
  readonly #upstream: UpstreamRuntime;
  readonly #settings: SessionSettings;
  readonly #deps: SessionDeps;
  readonly #startedAtMs: number;
  readonly #startedMs: number;
  #state: State = { name: 'dispatching', cancel: () => ({ backend: undefined, attempts: 0 }) };
  /** Why lb4 itself ended the relay; the engine only knows that it was aborted. */
  #abortedAs: Termination | undefined;

  constructor(
    id: string,
    client: Connection,
    upstream: UpstreamRuntime,
    settings: SessionSettings,
    deps: SessionDeps,
  ) {
    this.id = id;
    this.#client = client;
    this.#upstream = upstream;
    this.#settings = settings;
    this.#deps = deps;
    this.#startedAtMs = deps.wallClock();
    this.#startedMs = deps.now();
  }

  start(): void {
    const cancel = dispatch(this.#upstream, this.#client.peerAddress, this.#deps, result => {
      if (result.ok) this.#relay(result);
      else this.#refuse(result);
    });
    // With a warm connection the dispatch is over before it returns.
    if (this.#state.name === 'dispatching') this.#state = { name: 'dispatching', cancel };
  }

  /** Resets both sides now, for the reason given. */
  abort(termination: Termination): void {
    const state = this.#state;
    if (state.name === 'dispatching') {
      const progress = state.cancel();
      this.#client.reset();
      this.#end(termination, { ok: false, termination, ...progress });
    } else if (state.name === 'relaying') {
      this.#abortedAs = termination;
      state.relay.abort();
    }
  }

  /**
   * For a thread that dies: `abort`, without waiting for the engine, which will have no turn any more in which to
   * say that the relay has ended.
   */
  abandon(termination: Termination): void {
    this.abort(termination);
    if (this.#state.name !== 'relaying') return;
    const { relay, backend } = this.#state;
    const { bytesFromClient, bytesFromBackend } = relay;
    this.#end(termination, backend, { by: 'balancer', reason: 'aborted', bytesFromClient, bytesFromBackend });
  }

  /** The wheel asks: is a timeout over? Otherwise: when could it be? */
  checkDeadline(nowMs: number): number | undefined {
    if (this.#state.name !== 'relaying') return undefined;
    const due = this.#nextDeadline(this.#state.relay);
    if (due.atMs > nowMs) return due.atMs;
    this.abort({ by: 'balancer', phase: 'relay', reason: due.reason });
    return undefined;
  }

  #relay(backend: Connected): void {
    const relay = this.#deps.engine.relay(this.#client, backend.connection, {
      onHalfClosed: () => this.#schedule(relay),
      onEnd: outcome => {
        this.#deps.wheel.remove(this);
        backend.lease.backend.pool.release(backend.connection);
        backend.lease.release();
        this.#end(this.#terminationOf(outcome), backend, outcome);
      },
    });
    this.#state = { name: 'relaying', relay, backend };
    this.#schedule(relay);
  }

  #refuse(result: DispatchResult & { readonly ok: false }): void {
    refuse(this.#client, this.#settings.whenUnavailable);
    this.#end(result.termination, result);
  }

  #schedule(relay: Relay): void {
    const { atMs } = this.#nextDeadline(relay);
    if (atMs !== Infinity) this.#deps.wheel.add(this, atMs);
  }

  #nextDeadline(relay: Relay): { atMs: number; reason: 'idle' | 'halfClosed' | 'lifetime' } {
    const { idleMs, halfClosedMs, lifetimeMs } = this.#settings.timeouts;
    const silence = relay.halfClosed
      ? ({ atMs: after(relay.lastActivityMs, halfClosedMs), reason: 'halfClosed' } as const)
      : ({ atMs: after(relay.lastActivityMs, idleMs), reason: 'idle' } as const);
    const endOfLifeMs = after(this.#startedMs, lifetimeMs);
    return endOfLifeMs < silence.atMs ? { atMs: endOfLifeMs, reason: 'lifetime' } : silence;
  }

  #terminationOf(outcome: RelayOutcome): Termination {
    if (outcome.reason !== 'aborted') return { by: outcome.by, phase: 'relay', reason: outcome.reason };
    return this.#abortedAs ?? { by: 'balancer', phase: 'relay', reason: 'stopped' };
  }

  #end(termination: Termination, dispatched?: DispatchResult, relayed?: RelayOutcome): void {
    this.#state = { name: 'ended' };
    const connected = dispatched?.ok === true ? dispatched : undefined;
    const tried = dispatched?.ok === false ? dispatched : undefined;
    this.#deps.onEnd(this, () => ({
      id: this.id,
      listener: this.#settings.listener,
      upstream: this.#upstream.settings.name,
      clientAddress: this.#client.peerAddress,
      clientPort: this.#client.peerPort,
      backend: connected?.lease.backend.id ?? tried?.backend,
      attempts: dispatched?.attempts ?? 0,
      warm: connected?.origin === 'warm',
      reused: connected?.origin === 'reused',
      startedAtMs: this.#startedAtMs,
      durationMs: this.#deps.now() - this.#startedMs,
      connectMs: connected?.connectMs,
      bytesFromClient: relayed?.bytesFromClient ?? 0,
      bytesFromBackend: relayed?.bytesFromBackend ?? 0,
      by: termination.by,
      phase: termination.phase,
      reason: termination.reason,
    }));
  }
}

/** A timeout of 0 never comes. */
function after(startMs: number, timeoutMs: number): number {
  return timeoutMs === 0 ? Infinity : startMs + timeoutMs;
}
