/**
 * What the data plane keeps of one backend across plans: its addresses now, its pool and its live count.
 *
 * Place: created by `UpstreamRuntime` when a plan first names the backend, kept as long as plans do.
 */
import type { AcquireOptions, OwnConnect } from '../../../pool/index.ts';
import { AddressWalk } from '../../engine/address-walk.ts';
import type { Cancel, ConnectFailure, ConnectOptions, ConnectResult, Engine } from '../../engine/engine.ts';
import type { TlsClientTerms } from '../../engine/tls.ts';
import type { BackendPlan, UpstreamPlan } from '../../model/upstream-plan.ts';
import type { SharedState } from '../../shared-memory/shared-state.ts';
import type { Cells } from '../../shared-memory/counters/counters.ts';
import { countEviction } from './attempt-counts.ts';
import { BackendPool, type BackendPoolDeps } from './backend-pool.ts';
import { tlsConnect, withOwn } from './backend-tls.ts';
import type { DispatchOwner } from './dispatch-owner.ts';

export interface BackendRuntimeDeps extends BackendPoolDeps {
  readonly engine: Engine;
  readonly shared: Pick<SharedState, 'counters'>;
}

const FRESH: AcquireOptions = { fresh: true };
const ANY: AcquireOptions = {};

/** What of an upstream's plan matters to each backend. */
export type ConnectPlan = Pick<UpstreamPlan, 'connect' | 'sockets' | 'pool' | 'tls' | 'sendProxy'>;

/** Groups of workers see to it that no session comes here. */
const NO_TLS: ConnectFailure = { reason: 'localResources', code: 'ENGINE_WITHOUT_TLS' };

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
  #terms: TlsClientTerms | undefined;
  /** Its upstream wants TLS, and the engine has none. */
  #lacksTls = false;
  #moves = 0;

  /** @param terms of the plan's `tls` */
  constructor(backend: BackendPlan, plan: ConnectPlan, deps: BackendRuntimeDeps, terms?: TlsClientTerms) {
    this.id = backend.id;
    this.slot = backend.slot;
    this.tag = backend.tag;
    this.cells = deps.shared.counters.cells(backend.slot);
    this.#engine = deps.engine;
    this.#terms = terms;
    this.#lacksTls = plan.tls !== undefined && terms === undefined;
    this.#options = this.#optionsOf(plan);
    this.#addresses = new AddressWalk(() => deps.now());
    this.#addresses.update(backend.addresses);
    this.pool = new BackendPool(
      plan,
      backend.maxSessions,
      (done, client, own) => this.#connect(done, client, own),
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
   * addresses it still has: with reuse they could otherwise stay elsewhere for ever. What is parked has begun under the
   * terms of its time.
   */
  update(backend: BackendPlan, plan: ConnectPlan, terms?: TlsClientTerms): void {
    const hasOtherTerms = terms !== this.#terms;
    this.#terms = terms;
    this.#lacksTls = plan.tls !== undefined && terms === undefined;
    this.#options = this.#optionsOf(plan);
    this.pool.follow(plan, backend.maxSessions);
    if (this.#addresses.update(backend.addresses) || hasOtherTerms) {
      this.#moves += 1;
      this.pool.suspend();
    }
    // A backend on trial is not eligible: it gets the connection of one session, and no spare ones.
    if (backend.eligible && backend.weight > 0 && !this.#lacksTls) this.pool.resume();
    else this.pool.suspend();
  }

  /** What a session's acquire asks of the pool. */
  howToAcquire(isFresh: boolean, client: string, owner: Pick<DispatchOwner, 'ownConnect'>): AcquireOptions {
    const { early, tls } = this.#options;
    const own = tls === undefined ? undefined : owner.ownConnect?.();
    const common = own === undefined ? {} : { own };
    if (early?.source === 'client') return { fresh: isFresh, client, ...common };
    if (own !== undefined) return { fresh: isFresh, own };
    return isFresh ? FRESH : ANY;
  }

  #connect(done: (result: ConnectResult) => void, client?: string, own?: OwnConnect): Cancel {
    const { only, isEmpty } = this.#addresses;
    if (this.#lacksTls) {
      done({ ok: false, failure: NO_TLS });
      return () => undefined;
    }
    const toAll = withOwn(this.#options, own);
    const options = client === undefined ? toAll : { ...toAll, client };
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

  #optionsOf({ connect, sockets }: ConnectPlan): ConnectOptions {
    const options = { ...sockets, timeoutMs: connect.timeout };
    return this.#terms === undefined ? options : { ...options, tls: tlsConnect(this.id, this.#terms) };
  }
}
