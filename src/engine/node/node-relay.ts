/**
 * Joins two connections: every byte, half-close and reset of one side reaches the other, in order.
 *
 * Place: started by the session once a backend is connected; ends with one outcome.
 * How: a chunk read from one side is written to the other; where the kernel does not take it, reading stops until it
 * has, so at most one chunk per direction is ever held. A FIN follows the last byte. A reset follows it too, once the
 * peer has everything (reset-delivery.ts), or at once on `abort`. Where the system does not show what the peer has, a
 * FIN takes the place of the reset, so that no byte is lost.
 * A preface is written before the client is read, so that it precedes everything from the client.
 * With `reuse` a client's FIN is first answered by a look at the backend: what the kernel had for us when the FIN
 * was read comes within two turns of the loop (the rest of this poll, and one more). A backend that is quiet
 * until then is handed back; one that is not gets the FIN.
 * Invariants: `onEnd` exactly once, after both sockets are closed; no handler before `startRelay` has returned.
 * Limit: libuv stops looking at a side that has sent its FIN, so a reset that follows on an otherwise silent
 * session goes unnoticed until the next write to that side, or the session's own timeout.
 */
import type { OnItsWay, Paces, Relay, RelayHandlers, RelayOptions, RelayOutcome } from '../engine.ts';
import type { NodeConnection } from './node-connection.ts';
import { Side, type SideOwner } from './relay-side.ts';
import { ResetDelivery, type ResetDeliveryDeps } from './reset-delivery.ts';
import { inTwoTurns } from './turns.ts';

/** A time in milliseconds that its owner updates now and then; reading it costs nothing. */
export interface CoarseClock {
  readonly nowMs: number;
}

export interface RelayDeps extends ResetDeliveryDeps {
  readonly clock: CoarseClock;
  /** The same, exact. */
  now(): number;
}

/** Starts to relay; owns both connections from now on. */
export function startRelay(
  client: NodeConnection,
  backend: NodeConnection,
  deps: RelayDeps,
  handlers: RelayHandlers,
  options: RelayOptions = {},
): Relay {
  return new NodeRelay(client, backend, deps, handlers, options);
}

class NodeRelay implements Relay, SideOwner {
  readonly #client: Side;
  readonly #backend: Side;
  readonly #deps: RelayDeps;
  readonly #handlers: RelayHandlers;
  readonly #reuse: boolean;
  /** The backend has served another client: what it sends before this client does was meant for that one. */
  readonly #guarded: boolean;
  readonly #prefaceBytes: number;
  #isStale = false;
  #lastActivityMs: number;
  #firstByteMs: number | undefined;
  /** The side that sent the bytes handed to the kernel last. */
  #lastWord: Side | undefined;
  /** The client has left the backend's connection clean, and it is the caller's again. */
  #handedBack = false;
  #firstFin: Side | undefined;
  #resetBy: Side | undefined;
  #aborted = false;
  #started = false;
  #toldHalfClosed = false;
  #closedSides = 0;
  /** One side has reset, and the other may not yet have all that came before. */
  #delivery: ResetDelivery | undefined;

  constructor(
    client: NodeConnection,
    backend: NodeConnection,
    deps: RelayDeps,
    handlers: RelayHandlers,
    options: RelayOptions,
  ) {
    this.#client = new Side('client', client, this);
    this.#backend = new Side('backend', backend, this);
    this.#deps = deps;
    this.#handlers = handlers;
    this.#prefaceBytes = options.preface?.length ?? 0;
    this.#reuse = options.reuse === true && this.#prefaceBytes === 0;
    this.#guarded = options.reused === true && handlers.onStale !== undefined;
    this.#lastActivityMs = deps.clock.nowMs;
    if (this.#guarded) {
      // First comes what the backend still sends for its client before; two turns later this client is read.
      backend.own(this.#backend);
      inTwoTurns(() => {
        if (!this.#isStale) this.#beginWithClient(options.preface);
      });
    } else {
      // A failed write of the first bytes is reported to the backend's side, though that does not read yet.
      backend.lendTo(this.#backend);
      this.#beginWithClient(options.preface);
      backend.own(this.#backend);
    }
    this.#started = true;
    if (this.halfClosed) process.nextTick(() => this.#tellHalfClosed());
  }

  get bytesFromClient(): number {
    return this.#client.receivedBytes;
  }

  get bytesFromBackend(): number {
    return this.#backend.receivedBytes;
  }

  get lastActivityMs(): number {
    return this.#client.isPaced || this.#backend.isPaced ? this.#deps.clock.nowMs : this.#lastActivityMs;
  }

  get halfClosed(): boolean {
    return this.#firstFin !== undefined || this.#resetBy !== undefined;
  }

  lookAtDelivery(): OnItsWay {
    if (this.#delivery !== undefined) return this.#delivery.look();
    const onProgress = (): void => this.#stamp();
    const { sendQueues } = this.#deps;
    const [client, backend] = [this.#client, this.#backend];
    const up = backend.lookAtDelivery(this.#sentFrom(client), sendQueues, onProgress);
    const down = client.lookAtDelivery(this.#sentFrom(backend), sendQueues, onProgress);
    if (up === 'unknown' || down === 'unknown') return 'unknown';
    return up === 'bytes' ? up : down;
  }

  pace({ fromClient, fromBackend }: Paces): void {
    this.#client.setPace(fromClient);
    this.#backend.setPace(fromBackend);
  }

  abort(): void {
    if (this.#aborted || this.#handedBack || this.#closedSides === 2) return;
    this.#aborted = true;
    this.#stop();
    this.#client.connection.reset();
    this.#backend.connection.reset();
  }

  forward(from: Side, chunk: Buffer): void {
    if (this.#guarded && from === this.#backend && this.#client.receivedBytes === 0) {
      this.#startOver();
      return;
    }
    if (from.paced !== undefined) from.paced.add(chunk);
    else if (!this.pass(from, chunk)) from.connection.pauseReading();
  }

  pass(from: Side, chunk: Buffer): boolean {
    const to = this.#other(from);
    const { connection } = to;
    // Bytes of a side that outlives the other's reset have no receiver left.
    if (this.#resetBy === to || to.deaf || connection.socket.destroyed) return true;
    this.#lastWord = from;
    this.#stamp();
    if (from.receivedBytes === 0 && from === this.#backend) this.#firstByteMs = this.#deps.now();
    from.receivedBytes += chunk.length;
    return connection.write(chunk);
  }

  #beginWithClient(preface: Uint8Array | undefined): void {
    const { connection } = this.#backend;
    if (preface !== undefined && preface.length > 0 && !connection.socket.destroyed)
      connection.write(preface);
    this.#client.connection.own(this.#client);
    // The write has failed: nothing is read for a backend that takes nothing.
    if (this.#backend.deaf) this.#client.connection.pauseReading();
  }

  drained(to: Side): void {
    this.#stamp();
    const from = this.#other(to);
    this.#lastWord = from;
    from.goOn();
  }

  readOn(from: Side): void {
    if (this.#resetBy === undefined && !this.#other(from).deaf) from.connection.resumeReading();
  }

  end(from: Side, wasReset: boolean): void {
    if (from.paced?.follow(() => this.end(from, wasReset)) === true) return;
    from.ended = true;
    if (wasReset || from.deaf) {
      this.#resetOther(from);
      return;
    }
    // A FIN counts as activity: the time allowed for the other direction starts with it.
    this.#stamp();
    this.#firstFin ??= from;
    if (this.#started) this.#tellHalfClosed();
    if (from === this.#client && this.#isClean()) this.#lookAgain();
    else this.#passFinOn(from);
  }

  #passFinOn(from: Side): void {
    const { connection, ended } = this.#other(from);
    if (connection.socket.destroyed) return;
    // After both FINs nothing is left to read, so closing alone has the effect of a FIN before it.
    if (ended && !connection.hasUnsent) connection.close();
    else connection.end();
  }

  /** The bytes written to `to` are lost with its peer, but what it had sent before is still to be read. */
  writeFailed(to: Side): void {
    to.deaf = true;
    if (this.#resetBy !== undefined) {
      to.connection.reset();
      return;
    }
    const other = this.#other(to);
    other.paced?.drop();
    other.connection.pauseReading();
    // Where neither takes a byte any more, nothing that either still sends can be delivered.
    if (other.deaf) this.#resetOther(other);
    else if (to.ended) this.#resetOther(to);
  }

  broken(side: Side): void {
    if (side.paced?.follow(() => this.broken(side)) === true) return;
    if (!this.#handedBack) this.#resetOther(side);
  }

  closed(): void {
    this.#closedSides++;
    if (this.#closedSides < (this.#handedBack ? 1 : 2)) return;
    this.#stop();
    this.#handlers.onEnd(this.#outcome());
  }

  /** At the client's FIN nothing is on its way, and the backend has sent last, or neither side has sent anything. */
  #isClean(): boolean {
    if (!this.#reuse || this.#resetBy !== undefined || this.#aborted) return false;
    const client = this.#client;
    // A greeting that the client left without an answer would be missed by the next client.
    const isOver = client.receivedBytes === 0 ? this.#lastWord === undefined : this.#lastWord !== client;
    const { connection } = client;
    const hasAll =
      !client.deaf && !connection.socket.destroyed && !connection.hasEnded && !connection.hasUnsent;
    return isOver && hasAll && this.#backend.isQuiet;
  }

  /** Passes the client's FIN on after all, if the backend stirs within two turns. */
  #lookAgain(): void {
    const heardBytes = this.#backend.receivedBytes;
    const decide = (): void => {
      // A reset or an abort has its own way to end.
      if (this.#resetBy !== undefined || this.#aborted) return;
      if (this.#backend.receivedBytes !== heardBytes || !this.#isClean()) {
        this.#passFinOn(this.#client);
        return;
      }
      this.#handedBack = true;
      this.#backend.connection.unwatch();
      this.#client.connection.close();
    };
    inTwoTurns(decide);
  }

  /** The client is the caller's again, unread; never before the relay has been started. */
  #startOver(): void {
    if (this.#isStale || this.#aborted) return;
    this.#isStale = true;
    this.#backend.connection.unwatch();
    this.#backend.connection.reset();
    this.#client.connection.unwatch();
    const unsent = this.#stop();
    if (unsent !== undefined) this.#client.connection.hold(unsent);
    process.nextTick(() => {
      if (!this.#aborted) this.#handlers.onStale?.();
    });
  }

  /** `by` was reset, and everything it had sent is read: the other side gets it all, then a reset. */
  #resetOther(by: Side): void {
    if (this.#resetBy !== undefined || this.#aborted) return;
    this.#resetBy = by;
    this.#stamp();
    if (this.#started) this.#tellHalfClosed();
    by.connection.socket.destroy();

    const other = this.#other(by);
    other.paced?.stop();
    const { connection } = other;
    const { socket } = connection;
    if (socket.destroyed) return;
    connection.pauseReading();
    if (this.#sentFrom(by) === 0 || other.deaf) {
      connection.reset();
    } else if (!connection.isTcp) {
      // Bytes on a unix socket are with the peer once they are written, and there is no reset.
      connection.destroyWhenWritten();
    } else {
      this.#delivery = new ResetDelivery(connection, this.#deps, {
        onProgress: () => this.#stamp(),
        done: isDelivered => {
          if (isDelivered) connection.reset();
          else this.#endInsteadOfReset(connection);
        },
      });
      this.#delivery.begin();
    }
  }

  /** Reading on matters: closing with unread bytes would reset at once and lose what is on its way. */
  #endInsteadOfReset(connection: NodeConnection): void {
    if (connection.socket.destroyed) return;
    connection.endAsReset();
    connection.resumeReading();
  }

  #tellHalfClosed(): void {
    if (this.#toldHalfClosed || this.#closedSides === 2) return;
    this.#toldHalfClosed = true;
    this.#handlers.onHalfClosed();
  }

  /** Bytes for the other side: those of the client follow the preface. */
  #sentFrom(side: Side): number {
    return side === this.#client ? side.receivedBytes + this.#prefaceBytes : side.receivedBytes;
  }

  #other(side: Side): Side {
    return side === this.#client ? this.#backend : this.#client;
  }

  /** Nothing goes on later. Returns what the client has sent and waits for its pace. */
  #stop(): Buffer | undefined {
    this.#delivery?.stop();
    this.#backend.paced?.stop();
    return this.#client.paced?.stop();
  }

  #stamp(): void {
    this.#lastActivityMs = this.#deps.clock.nowMs;
  }

  #outcome(): RelayOutcome {
    const { bytesFromClient, bytesFromBackend } = this;
    const times = { firstByteMs: this.#firstByteMs, endedMs: this.#deps.now() };
    const bytes = { bytesFromClient, bytesFromBackend, ...times };
    if (this.#aborted) return { by: 'balancer', reason: 'aborted', ...bytes };
    if (this.#resetBy !== undefined) return { by: this.#resetBy.by, reason: 'reset', ...bytes };
    if (this.#handedBack) {
      return { by: 'client', reason: 'closed', ...bytes, cleanBackend: this.#backend.connection };
    }
    return { by: this.#firstFin?.by ?? 'client', reason: 'closed', ...bytes };
  }
}
