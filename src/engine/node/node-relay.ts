/**
 * Joins two connections: every byte, half-close and reset of one side reaches the other, in order.
 *
 * Place: started by the session once a backend is connected; ends with one outcome.
 * How: a chunk read from one side is written to the other; where the kernel does not take it, reading stops
 * until it has: at most one chunk and one stream buffer per direction are ever held. A FIN follows the last
 * byte. A reset follows it too: not before the peer has everything (send-queue.ts), unless `abort` says so.
 * Where the system does not tell what the peer has, a FIN stands in for the reset, rather than lost bytes.
 * With `reuse` a client's FIN is first answered by a look at the backend: what the kernel had for us when the FIN
 * was read comes within two turns of the loop (the rest of this poll, and one more). A backend that is quiet
 * until then is handed back; one that is not gets the FIN.
 * Invariants: `onEnd` exactly once, after both sockets are closed; no handler before `startRelay` has returned.
 * Limit: libuv stops looking at a side that has sent its FIN, so a reset that follows on an otherwise silent
 * session goes unnoticed until the next write to that side, or the session's own timeout.
 */
import type { Relay, RelayHandlers, RelayOptions, RelayOutcome } from '../engine.ts';
import type { ConnectionOwner, NodeConnection } from './node-connection.ts';
import type { SendQueueWatch } from './send-queue.ts';

/** A time in milliseconds that its owner updates now and then; reading it costs nothing. */
export interface CoarseClock {
  readonly nowMs: number;
}

export interface RelayDeps {
  readonly clock: CoarseClock;
  readonly sendQueues: SendQueueWatch;
}

/** Starts to relay; owns both connections from now on. */
export function startRelay(
  client: NodeConnection,
  backend: NodeConnection,
  deps: RelayDeps,
  handlers: RelayHandlers,
  options: RelayOptions = {},
): Relay {
  return new NodeRelay(client, backend, deps, handlers, options.reuse ?? false);
}

/** One of the two sides; passes what happens on its connection to the relay. */
class Side implements ConnectionOwner {
  readonly by: 'client' | 'backend';
  readonly connection: NodeConnection;
  readonly #relay: NodeRelay;
  receivedBytes = 0;
  /** Its FIN has arrived. */
  ended = false;
  /** It takes no more bytes, though some of its own may still have to be read. */
  deaf = false;

  constructor(by: 'client' | 'backend', connection: NodeConnection, relay: NodeRelay) {
    this.by = by;
    this.connection = connection;
    this.#relay = relay;
  }

  onData(chunk: Buffer): void {
    this.#relay.forward(this, chunk);
  }

  onEnd(wasReset: boolean): void {
    this.#relay.end(this, wasReset);
  }

  onDrain(): void {
    this.#relay.drained(this);
  }

  onWriteFailed(): void {
    this.#relay.writeFailed(this);
  }

  onClose(failed: boolean): void {
    this.#relay.closed(this, failed);
  }
}

class NodeRelay implements Relay {
  readonly #client: Side;
  readonly #backend: Side;
  readonly #deps: RelayDeps;
  readonly #handlers: RelayHandlers;
  readonly #reuse: boolean;
  #lastActivityMs: number;
  /** Whose bytes were handed to the kernel last. */
  #lastWord: Side | undefined;
  /** The client has left a clean backend, which is the caller's again. */
  #handedBack = false;
  #firstFin: Side | undefined;
  #resetBy: Side | undefined;
  #aborted = false;
  #started = false;
  #toldHalfClosed = false;
  #closedSides = 0;
  #cancelDelivery: (() => void) | undefined;

  constructor(
    client: NodeConnection,
    backend: NodeConnection,
    deps: RelayDeps,
    handlers: RelayHandlers,
    reuse: boolean,
  ) {
    this.#client = new Side('client', client, this);
    this.#backend = new Side('backend', backend, this);
    this.#deps = deps;
    this.#handlers = handlers;
    this.#reuse = reuse;
    this.#lastActivityMs = deps.clock.nowMs;
    client.own(this.#client);
    backend.own(this.#backend);
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
    return this.#lastActivityMs;
  }

  get halfClosed(): boolean {
    return this.#firstFin !== undefined || this.#resetBy !== undefined;
  }

  abort(): void {
    if (this.#aborted || this.#handedBack || this.#closedSides === 2) return;
    this.#aborted = true;
    this.#cancelDelivery?.();
    this.#client.connection.reset();
    this.#backend.connection.reset();
  }

  forward(from: Side, chunk: Buffer): void {
    const to = this.#other(from);
    const { socket } = to.connection;
    // A side that outlives the reset of the other has nobody left to talk to.
    if (this.#resetBy === to || to.deaf || socket.destroyed) return;
    from.receivedBytes += chunk.length;
    this.#lastWord = from;
    this.#stamp();
    if (!socket.write(chunk)) from.connection.socket.pause();
  }

  drained(to: Side): void {
    this.#stamp();
    this.#lastWord = this.#other(to);
    if (this.#resetBy === undefined && !to.deaf) this.#other(to).connection.socket.resume();
  }

  end(from: Side, wasReset: boolean): void {
    from.ended = true;
    if (wasReset || from.deaf) {
      this.#resetOther(from);
      return;
    }
    // A FIN counts as activity: the wait for the other direction starts with it.
    this.#stamp();
    this.#firstFin ??= from;
    if (this.#started) this.#tellHalfClosed();
    if (from === this.#client && this.#isClean()) this.#lookAgain();
    else this.#passFinOn(from);
  }

  #passFinOn(from: Side): void {
    const { socket } = this.#other(from).connection;
    if (!socket.destroyed) socket.end();
  }

  /** The bytes written to `to` are lost with its peer, but what it had sent before is still to be read. */
  writeFailed(to: Side): void {
    to.deaf = true;
    if (this.#resetBy !== undefined) {
      to.connection.reset();
      return;
    }
    this.#other(to).connection.socket.pause();
    if (to.ended) this.#resetOther(to);
  }

  closed(side: Side, failed: boolean): void {
    this.#closedSides++;
    if (failed && !this.#handedBack) this.#resetOther(side);
    if (this.#closedSides < (this.#handedBack ? 1 : 2)) return;
    this.#cancelDelivery?.();
    this.#handlers.onEnd(this.#outcome());
  }

  /** The client's FIN finds nothing on its way, and an exchange that the backend has ended, or none at all. */
  #isClean(): boolean {
    if (!this.#reuse || this.#resetBy !== undefined || this.#aborted) return false;
    const client = this.#client;
    // A greeting that the client left without an answer would be missed by the next one.
    const isOver = client.receivedBytes === 0 ? this.#lastWord === undefined : this.#lastWord !== client;
    const { socket } = client.connection;
    const hasAll = !client.deaf && !socket.destroyed && !socket.writableEnded && socket.writableLength === 0;
    return isOver && hasAll && !this.#backend.deaf && this.#backend.connection.isQuiet;
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
      this.#client.connection.socket.end();
    };
    setImmediate(() => setImmediate(decide));
  }

  /** `by` was reset, and everything it had sent is read: the other side gets it all, then a reset. */
  #resetOther(by: Side): void {
    if (this.#resetBy !== undefined || this.#aborted) return;
    this.#resetBy = by;
    this.#stamp();
    if (this.#started) this.#tellHalfClosed();
    by.connection.socket.destroy();

    const other = this.#other(by);
    const { connection } = other;
    const { socket } = connection;
    if (socket.destroyed) return;
    socket.pause();
    if (by.receivedBytes === 0 || other.deaf) {
      connection.reset();
    } else if (!connection.isTcp) {
      // Bytes on a unix socket are with the peer once they are written, and there is no reset.
      socket.destroySoon();
    } else {
      this.#cancelDelivery = this.#deps.sendQueues.whenDelivered(
        socket,
        () => this.#stamp(),
        delivery => {
          if (delivery === 'delivered') connection.reset();
          else this.#endInsteadOfReset(connection);
        },
      );
    }
  }

  /** Reading on matters: closing with unread bytes would reset at once and lose what is on its way. */
  #endInsteadOfReset(connection: NodeConnection): void {
    const { socket } = connection;
    if (!socket.destroyed) socket.end();
    socket.resume();
  }

  #tellHalfClosed(): void {
    if (this.#toldHalfClosed || this.#closedSides === 2) return;
    this.#toldHalfClosed = true;
    this.#handlers.onHalfClosed();
  }

  #other(side: Side): Side {
    return side === this.#client ? this.#backend : this.#client;
  }

  #stamp(): void {
    this.#lastActivityMs = this.#deps.clock.nowMs;
  }

  #outcome(): RelayOutcome {
    const { bytesFromClient, bytesFromBackend } = this;
    const bytes = { bytesFromClient, bytesFromBackend };
    if (this.#aborted) return { by: 'balancer', reason: 'aborted', ...bytes };
    if (this.#resetBy !== undefined) return { by: this.#resetBy.by, reason: 'reset', ...bytes };
    if (this.#handedBack) {
      return { by: 'client', reason: 'closed', ...bytes, cleanBackend: this.#backend.connection };
    }
    return { by: this.#firstFin?.by ?? 'client', reason: 'closed', ...bytes };
  }
}
