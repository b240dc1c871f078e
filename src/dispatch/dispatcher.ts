/**
 * Finds a session its backend connection: pick, acquire from the backend's pool, and on failure the next
 * distinct backend, up to `connect.attempts`.
 *
 * Place: between admission and relay; nothing has been read from the client yet (its early bytes wait in its
 * socket), so another attempt can never repeat a byte.
 * Invariants: `done` is called exactly once unless cancelled; every lease that is not handed over is released;
 * a failure of this machine (no descriptors, no ports) ends the session at once and blames no backend.
 */
import type { Cancel, ConnectFailure, Connection } from '../engine/engine.ts';
import type { Termination } from '../termination.ts';
import type { BackendRuntime } from './backend-runtime.ts';
import type { Lease } from './lease.ts';
import type { UpstreamRuntime } from './upstream-runtime.ts';

export type DispatchResult =
  | {
      readonly ok: true;
      readonly connection: Connection;
      readonly lease: Lease;
      readonly origin: 'new' | 'warm' | 'reused';
      readonly attempts: number;
      readonly connectMs: number;
    }
  | (DispatchProgress & { readonly ok: false; readonly termination: Termination });

/** How far a dispatch had come. */
export interface DispatchProgress {
  /** The last backend tried, if any was. */
  readonly backend: string | undefined;
  readonly attempts: number;
}

export interface DispatcherDeps {
  now(): number;
  /** Hears of every failed attempt. */
  onConnectFailed(upstream: string, backend: string, failure: ConnectFailure): void;
}

/** Starts the search; the returned function gives it up and tells how far it had come. */
export function dispatch(
  upstream: UpstreamRuntime,
  clientAddress: string,
  deps: DispatcherDeps,
  done: (result: DispatchResult) => void,
): () => DispatchProgress {
  const dispatching = new Dispatching(upstream, clientAddress, deps, done);
  dispatching.attempt();
  return () => dispatching.cancel();
}

/** One session's search. */
class Dispatching {
  readonly #upstream: UpstreamRuntime;
  readonly #clientAddress: string;
  readonly #deps: DispatcherDeps;
  readonly #done: (result: DispatchResult) => void;
  #attempts = 0;
  #tried: Set<string> | undefined;
  #lastFailure: ConnectFailure | undefined;
  #lastBackend: string | undefined;
  #pending: { readonly lease: Lease; cancel: Cancel } | undefined;

  constructor(
    upstream: UpstreamRuntime,
    clientAddress: string,
    deps: DispatcherDeps,
    done: (result: DispatchResult) => void,
  ) {
    this.#upstream = upstream;
    this.#clientAddress = clientAddress;
    this.#deps = deps;
    this.#done = done;
  }

  attempt(): void {
    const lease = this.#upstream.picker.pick(this.#clientAddress, this.#tried);
    if (typeof lease === 'string') {
      this.#giveUp(lease);
      return;
    }
    this.#attempts += 1;
    this.#lastBackend = lease.backend.id;
    const startedMs = this.#deps.now();
    const pending = { lease, cancel: () => undefined };
    this.#pending = pending;
    const cancel = lease.backend.pool.acquire(acquired => {
      this.#pending = undefined;
      if (!acquired.ok) {
        lease.release();
        this.#failed(lease.backend, acquired.failure);
        return;
      }
      const { connection, origin } = acquired;
      const connectMs = this.#deps.now() - startedMs;
      if (origin === 'new') this.#upstream.picker.connected(lease.backend, connectMs);
      this.#done({ ok: true, connection, lease, origin, attempts: this.#attempts, connectMs });
    });
    pending.cancel = () => {
      cancel();
      return undefined;
    };
  }

  cancel(): DispatchProgress {
    this.#pending?.cancel();
    this.#pending?.lease.release();
    this.#pending = undefined;
    return this.#progress();
  }

  #failed(backend: BackendRuntime, failure: ConnectFailure): void {
    this.#lastFailure = failure;
    this.#deps.onConnectFailed(this.#upstream.settings.name, backend.id, failure);
    if (failure.reason === 'localResources' || this.#attempts >= this.#upstream.settings.connect.attempts) {
      this.#giveUp('noBackend');
      return;
    }
    this.#tried ??= new Set();
    this.#tried.add(backend.id);
    this.attempt();
  }

  #giveUp(why: 'noBackend' | 'full'): void {
    this.#done({ ok: false, termination: this.#terminationFor(why), ...this.#progress() });
  }

  #progress(): DispatchProgress {
    return { backend: this.#lastBackend, attempts: this.#attempts };
  }

  #terminationFor(why: 'noBackend' | 'full'): Termination {
    const failure = this.#lastFailure;
    if (failure === undefined) return { by: 'balancer', phase: 'connect', reason: why };
    const by = failure.reason === 'localResources' ? 'balancer' : 'backend';
    return { by, phase: 'connect', reason: failure.reason };
  }
}
