/**
 * What the data plane keeps of one backend across snapshots: its address now, its pool and its live count.
 *
 * Place: created by `UpstreamRuntime` when a snapshot first names the backend, kept as long as snapshots do.
 */
import type { Acquired, ConnectionPool } from '../../pool/index.ts';
import type {
  Cancel,
  ConnectFailure,
  ConnectOptions,
  ConnectResult,
  Connection,
  Engine,
} from '../engine/engine.ts';
import { type Address, formatAddress } from '../support/address.ts';
import type { BackendSnapshot } from '../upstream/snapshot.ts';

export type BackendPool = ConnectionPool<Connection, ConnectFailure>;
export type AcquiredConnection = Acquired<Connection, ConnectFailure>;
/** Where a connection came from. */
export type Origin = (AcquiredConnection & { ok: true })['origin'];

/** Opens a connection to wherever the backend is when the attempt begins. */
export type ConnectBackend = (done: (result: ConnectResult) => void) => Cancel;

export class BackendRuntime {
  readonly id: string;
  readonly slot: number;
  readonly pool: BackendPool;
  #address: Address | undefined;
  #moves = 0;

  constructor(
    snapshot: BackendSnapshot,
    deps: { engine: Engine; connect: ConnectOptions; createPool: (connect: ConnectBackend) => BackendPool },
  ) {
    this.id = snapshot.id;
    this.slot = snapshot.slot;
    this.#address = snapshot.address;
    this.pool = deps.createPool(done => {
      if (this.#address === undefined) {
        done({ ok: false, failure: { reason: 'unreachable', code: 'ENOTFOUND' } });
        return () => undefined;
      }
      return deps.engine.connect(this.#address, deps.connect, done);
    });
  }

  /** How often its address has changed: a connection opened before the last time leads elsewhere. */
  get moves(): number {
    return this.#moves;
  }

  /**
   * Takes over what a new snapshot says. Connections stay parked only for a backend that gets new sessions, and
   * only at the address they were opened to: with reuse they could otherwise stay there for ever.
   */
  update(snapshot: BackendSnapshot): void {
    if (textOf(snapshot.address) !== textOf(this.#address)) {
      this.#moves += 1;
      this.pool.suspend();
    }
    this.#address = snapshot.address;
    // One on trial is not eligible: it gets the connection of one session, and no spare ones.
    if (snapshot.eligible && snapshot.weight > 0) this.pool.resume();
    else this.pool.suspend();
  }
}

function textOf(address: Address | undefined): string | undefined {
  return address === undefined ? undefined : formatAddress(address);
}
