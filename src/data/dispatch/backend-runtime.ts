/**
 * What the data plane keeps of one backend across plans: its addresses now, its pool and its live count.
 *
 * Place: created by `UpstreamRuntime` when a plan first names the backend, kept as long as plans do.
 */
import type { AcquireOptions } from '../../../pool/index.ts';
import { AddressWalk } from '../../engine/address-walk.ts';
import type { Cancel, ConnectOptions, ConnectResult, Engine } from '../../engine/engine.ts';
import type { BackendPlan, UpstreamPlan } from '../../model/upstream-plan.ts';
import type { SharedState } from '../../shared-memory/shared-state.ts';
import type { Cells } from '../../shared-memory/counters/counters.ts';
import { countEviction } from './attempt-counts.ts';
import { BackendPool, type BackendPoolDeps } from './backend-pool.ts';

export interface BackendRuntimeDeps extends BackendPoolDeps {
  readonly engine: Engine;
  readonly shared: Pick<SharedState, 'counters'>;
}

const FRESH: AcquireOptions = { fresh: true };
const ANY: AcquireOptions = {};

/** What of an upstream's plan matters to each backend. */
export type ConnectPlan = Pick<UpstreamPlan, 'connect' | 'sockets' | 'pool'>;

export class BackendRuntime {
  readonly id: string;
  readonly slot: number;
  /** The slot's, by which stickiness remembers it. */
  readonly tag: number;
  readonly pool: BackendPool;
  /** Where this data plane counts what becomes of it. */
  readonly cells: Cells;
  readonly #engine: Engine;
  readonly #addresses: AddressWalk;
  #options: ConnectOptions;
  #moves = 0;

  constructor(backend: BackendPlan, plan: ConnectPlan, deps: BackendRuntimeDeps) {
    this.id = backend.id;
    this.slot = backend.slot;
    this.tag = backend.tag;
    this.cells = deps.shared.counters.cells(backend.slot);
    this.#engine = deps.engine;
    this.#options = connectOptions(plan);
    this.#addresses = new AddressWalk(() => deps.now());
    this.#addresses.update(backend.addresses);
    this.pool = new BackendPool(
      plan,
      backend.maxSessions,
      (done, client) => this.#connect(done, client),
      cause => countEviction(this, cause),
      deps,
    );
  }

  /** How often an address in use has gone: a connection opened before the last time may lead elsewhere. */
  get moves(): number {
    return this.#moves;
  }

  /**
   * Takes over what a new plan says. Connections stay parked only for a backend that gets new sessions, and only at
   * addresses it still has: with reuse they could otherwise stay elsewhere for ever.
   */
  update(backend: BackendPlan, plan: ConnectPlan): void {
    this.#options = connectOptions(plan);
    this.pool.follow(plan, backend.maxSessions);
    if (this.#addresses.update(backend.addresses)) {
      this.#moves += 1;
      this.pool.suspend();
    }
    // A backend on trial is not eligible: it gets the connection of one session, and no spare ones.
    if (backend.eligible && backend.weight > 0) this.pool.resume();
    else this.pool.suspend();
  }

  /** What a session's acquire asks of the pool. */
  howToAcquire(isFresh: boolean, client: string): AcquireOptions {
    if (this.#options.early?.source === 'client') return { fresh: isFresh, client };
    return isFresh ? FRESH : ANY;
  }

  #connect(done: (result: ConnectResult) => void, client?: string): Cancel {
    const { only, isEmpty } = this.#addresses;
    const options = client === undefined ? this.#options : { ...this.#options, client };
    if (only !== undefined) return this.#engine.connect(only, options, done);
    if (isEmpty) {
      done({ ok: false, failure: { reason: 'unreachable', code: 'ENOTFOUND' } });
      return () => undefined;
    }
    return this.#addresses.start<ConnectResult>(
      options.timeoutMs,
      (address, timeoutMs, tried) => this.#engine.connect(address, { ...options, timeoutMs }, tried),
      done,
    );
  }
}

function connectOptions({ connect, sockets }: ConnectPlan): ConnectOptions {
  return { ...sockets, timeoutMs: connect.timeout };
}
