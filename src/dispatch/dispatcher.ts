/**
 * Finds a session its backend connection: pick, acquire from the backend's pool, and on failure the next
 * distinct backend, up to `connect.attempts`. Holds connection and lease until the session gives them back.
 *
 * Place: between admission and relay; nothing the client sent has been delivered yet (its early bytes wait in
 * its socket, or come first in its next relay), so another attempt can never repeat a byte.
 * Invariants: its owner is told exactly once per search, never after a cancel; at most one lease is held, and
 * each is released once; a failure of this machine (no descriptors, no ports) ends the search at once and
 * blames no backend; `replaceStale` is followed by fresh connections only, which cannot be stale again.
 */
import type { Acquired } from '../../pool/index.ts';
import type { Cancel, ConnectFailure, Connection } from '../engine/engine.ts';
import type { Termination } from '../termination.ts';
import type { BackendRuntime } from './backend-runtime.ts';
import type { Lease } from './lease.ts';
import type { UpstreamRuntime } from './upstream-runtime.ts';

/** Who needs the connection: the session. */
export interface DispatchOwner {
  /** The connection is there; whoever owns the dispatch gives it back with `release`. */
  onConnected(connection: Connection): void;
  /** There is none to be had. */
  onUnavailable(termination: Termination): void;
}

export interface DispatcherDeps {
  now(): number;
  /** Hears of every failed attempt. */
  onConnectFailed(upstream: string, backend: string, failure: ConnectFailure): void;
}

type Origin = (Acquired<Connection, ConnectFailure> & { ok: true })['origin'];

const FRESH = { fresh: true } as const;
const ANY = {} as const;

/** One session's search, and what came of it. One object for both: there is one per session. */
export class Dispatch {
  readonly upstream: UpstreamRuntime;
  readonly #clientAddress: string;
  readonly #deps: DispatcherDeps;
  readonly #owner: DispatchOwner;
  /** Held from the pick to the failure, the cancel or the release. */
  #lease: Lease | undefined;
  #connection: Connection | undefined;
  #cancelAcquire: Cancel | undefined;
  #backend: BackendRuntime | undefined;
  #origin: Origin | undefined;
  #connectMs: number | undefined;
  /** The backend's `moves` when the connection was asked for. */
  #moves = 0;
  #attempts = 0;
  #tried: Set<string> | undefined;
  #lastFailure: ConnectFailure | undefined;
  #isFresh = false;
  #isCancelled = false;

  constructor(upstream: UpstreamRuntime, clientAddress: string, deps: DispatcherDeps, owner: DispatchOwner) {
    this.upstream = upstream;
    this.#clientAddress = clientAddress;
    this.#deps = deps;
    this.#owner = owner;
  }

  /** The last backend tried, if any was. */
  get backend(): string | undefined {
    return this.#backend?.id;
  }

  /** Connects and hand-overs of parked connections so far. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Where the connection came from; undefined while there is none. */
  get origin(): Origin | undefined {
    return this.#origin;
  }

  /** From the last pick to the connection, in milliseconds; undefined while there is none. */
  get connectMs(): number | undefined {
    return this.#connectMs;
  }

  /** Begins the search; its owner may be told before this returns. */
  start(): void {
    const lease = this.upstream.picker.pick(this.#clientAddress, this.#tried);
    if (typeof lease === 'string') this.#owner.onUnavailable(this.#terminationFor(lease));
    else this.#acquire(lease);
  }

  /** Gives the search up. Without effect once its owner has been told. */
  cancel(): void {
    this.#isCancelled = true;
    if (this.#connection !== undefined) return;
    this.#cancelAcquire?.();
    this.#lease?.release();
    this.#lease = undefined;
  }

  /** Gives connection and lease back. `clean`: see the pool's `release`. */
  release(clean: boolean): void {
    const lease = this.#lease;
    this.#returnConnection(clean);
    this.#lease = undefined;
    lease?.release();
  }

  /**
   * The parked connection was dead already, and nothing was delivered over it: searches once more, for a fresh
   * one, first at the same backend and without counting the session twice. The owner is told as at first.
   */
  replaceStale(): void {
    const lease = this.#lease;
    this.#returnConnection(false);
    this.#origin = undefined;
    this.#connectMs = undefined;
    this.#isFresh = true;
    if (lease !== undefined && this.upstream.picker.takesSessions(lease.backend)) {
      this.#acquire(lease);
      return;
    }
    this.#lease = undefined;
    lease?.release();
    this.start();
  }

  #returnConnection(clean: boolean): void {
    const connection = this.#connection;
    const backend = this.#lease?.backend;
    this.#connection = undefined;
    if (connection === undefined || backend === undefined) return;
    // Nobody else wants a connection to where the backend no longer is.
    const isMoved = clean && backend.moves !== this.#moves;
    if (isMoved) connection.reset();
    backend.pool.release(connection, clean && !isMoved);
  }

  #acquire(lease: Lease): void {
    this.#lease = lease;
    this.#backend = lease.backend;
    this.#moves = lease.backend.moves;
    this.#attempts += 1;
    const pickedMs = this.#deps.now();
    const cancel = lease.backend.pool.acquire(
      acquired => this.#acquired(lease, pickedMs, acquired),
      this.#isFresh ? FRESH : ANY,
    );
    // A pool may answer within the call, and then the next attempt may be under way already.
    if (this.#lease === lease && this.#connection === undefined) this.#cancelAcquire = cancel;
  }

  #acquired(lease: Lease, pickedMs: number, acquired: Acquired<Connection, ConnectFailure>): void {
    this.#cancelAcquire = undefined;
    if (!acquired.ok) {
      this.#lease = undefined;
      lease.release();
      this.#failed(lease.backend, acquired.failure);
      return;
    }
    const { connection, origin } = acquired;
    const connectMs = this.#deps.now() - pickedMs;
    this.#connection = connection;
    this.#origin = origin;
    this.#connectMs = connectMs;
    if (origin === 'new') this.upstream.picker.connected(lease.backend, connectMs);
    this.#owner.onConnected(connection);
  }

  #failed(backend: BackendRuntime, failure: ConnectFailure): void {
    const { name, connect } = this.upstream.settings;
    this.#lastFailure = failure;
    this.#tried ??= new Set();
    this.#tried.add(backend.id);
    this.#deps.onConnectFailed(name, backend.id, failure);
    // Whoever heard of it may have stopped everything.
    if (this.#isCancelled) return;
    if (failure.reason === 'localResources' || this.#tried.size >= connect.attempts) {
      this.#owner.onUnavailable(this.#terminationFor('noBackend'));
    } else {
      this.start();
    }
  }

  #terminationFor(why: 'noBackend' | 'full'): Termination {
    const failure = this.#lastFailure;
    if (failure === undefined) return { by: 'balancer', phase: 'connect', reason: why };
    const by = failure.reason === 'localResources' ? 'balancer' : 'backend';
    return { by, phase: 'connect', reason: failure.reason };
  }
}
