/**
 * What the data plane keeps of one backend across snapshots: its addresses now, its pool and its live count.
 *
 * Place: created by `UpstreamRuntime` when a snapshot first names the backend, kept as long as snapshots do.
 */
import type { Acquired, ConnectionPool } from '../../pool/index.ts';
import { AddressWalk } from '../engine/address-walk.ts';
import type {
  Cancel,
  ConnectFailure,
  ConnectOptions,
  ConnectResult,
  Connection,
  Engine,
} from '../engine/engine.ts';
import type { BackendSnapshot } from '../upstream/snapshot.ts';

export type BackendPool = ConnectionPool<Connection, ConnectFailure>;
export type AcquiredConnection = Acquired<Connection, ConnectFailure>;
/** Where a connection came from. */
export type Origin = (AcquiredConnection & { ok: true })['origin'];

/** Opens a connection to wherever the backend is when the attempt begins: over all its addresses, if need be. */
export type ConnectBackend = (done: (result: ConnectResult) => void) => Cancel;

export interface BackendRuntimeDeps {
  readonly engine: Engine;
  readonly connect: ConnectOptions;
  now(): number;
  readonly createPool: (connect: ConnectBackend) => BackendPool;
}

export class BackendRuntime {
  readonly id: string;
  readonly slot: number;
  /** The slot's, by which stickiness remembers it. */
  readonly tag: number;
  readonly pool: BackendPool;
  readonly #addresses: AddressWalk;
  #moves = 0;

  constructor(snapshot: BackendSnapshot, deps: BackendRuntimeDeps) {
    const { engine, connect } = deps;
    this.id = snapshot.id;
    this.slot = snapshot.slot;
    this.tag = snapshot.tag;
    this.#addresses = new AddressWalk(() => deps.now());
    this.#addresses.update(snapshot.addresses);
    this.pool = deps.createPool(done => {
      const { only, isEmpty } = this.#addresses;
      if (only !== undefined) return engine.connect(only, connect, done);
      if (isEmpty) {
        done({ ok: false, failure: { reason: 'unreachable', code: 'ENOTFOUND' } });
        return () => undefined;
      }
      return this.#addresses.start<ConnectResult>(
        connect.timeoutMs,
        (address, timeoutMs, tried) => engine.connect(address, { ...connect, timeoutMs }, tried),
        done,
      );
    });
  }

  /** How often an address in use has gone: a connection opened before the last time may lead elsewhere. */
  get moves(): number {
    return this.#moves;
  }

  /**
   * Takes over what a new snapshot says. Connections stay parked only for a backend that gets new sessions, and
   * only at addresses it still has: with reuse they could otherwise stay elsewhere for ever.
   */
  update(snapshot: BackendSnapshot): void {
    if (this.#addresses.update(snapshot.addresses)) {
      this.#moves += 1;
      this.pool.suspend();
    }
    // One on trial is not eligible: it gets the connection of one session, and no spare ones.
    if (snapshot.eligible && snapshot.weight > 0) this.pool.resume();
    else this.pool.suspend();
  }
}
