/**
 * What Node's TLS reads and writes: a connection of this engine, in the shape of a stream.
 *
 * Place: the owner of the connection below a TLS connection, from the handshake on.
 * Why not Node's socket itself: Node reports close_notify and the end of TCP by the same event, so that a connection
 * that was cut off would look finished (docs/adr/0021-tls.md). Here both ends are seen: TLS reports close_notify, and
 * the end of TCP comes to `handlers` and never to TLS.
 * How: the reading side is not a stream's: each chunk is an event, within the call that brings it, and nothing is held.
 * Node's TLS copies what it gets before it returns.
 */
import { Duplex } from 'node:stream';

import type { ConnectionOwner } from '../node/connection-owner.ts';
import type { NodeConnection } from '../node/node-connection.ts';

/** What happens below TLS. */
export interface CarrierHandlers {
  /** The end of TCP; `wasReset` as for owners. */
  onEnd(wasReset: boolean): void;
  onBroken(): void;
  onWriteFailed(): void;
  /** The socket is closed. Last call. */
  onClose(): void;
}

type Written = (error?: Error | null) => void;

export class Carrier extends Duplex implements ConnectionOwner {
  readonly #connection: NodeConnection;
  handlers: CarrierHandlers;
  /** Whether the connection is closed with the stream. */
  closesBelow = false;
  #isReleased = false;
  #isPaused = false;
  /** Called when everything that was handed down is with the kernel. */
  #written: Written | undefined;

  constructor(connection: NodeConnection, handlers: CarrierHandlers) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    this.handlers = handlers;
    // Nothing makes it fail; Node would end the process over it.
    this.on('error', () => undefined);
  }

  /** To be called once TLS is over it: what was read already comes at once. */
  begin(): void {
    this.#connection.own(this);
    if (this.#isPaused) this.#connection.pauseReading();
  }

  /** From now on nothing that TLS does reaches the connection, and nothing of the connection TLS. */
  release(): void {
    this.#isReleased = true;
    this.destroy();
  }

  override pause(): this {
    this.#isPaused = true;
    if (this.#isOwner()) this.#connection.pauseReading();
    return this;
  }

  override resume(): this {
    this.#isPaused = false;
    if (this.#isOwner()) this.#connection.resumeReading();
    return this;
  }

  override _read(): void {
    // Bytes come as events.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: Written): void {
    if (this.#isReleased) return;
    if (this.#connection.write(chunk)) written();
    else this.#written = written;
  }

  override _writev(chunks: { readonly chunk: Buffer }[], written: Written): void {
    // One system call for all.
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'binary', written);
  }

  override _final(done: Written): void {
    const { socket } = this.#connection;
    if (this.#isReleased || socket.destroyed) return;
    this.#connection.end();
    if (socket.writableFinished) done();
    else socket.once('finish', () => done());
  }

  override _destroy(_error: Error | null, done: Written): void {
    if (!this.#isReleased && this.closesBelow) this.#connection.socket.destroy();
    done();
  }

  onData(chunk: Buffer): void {
    if (!this.#isReleased) this.emit('data', chunk);
  }

  onEnd(wasReset: boolean): void {
    this.handlers.onEnd(wasReset);
  }

  onDrain(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  onWriteFailed(): void {
    // TLS is left waiting: it would destroy the socket with the peer's unread answer.
    this.handlers.onWriteFailed();
  }

  onBroken(): void {
    this.handlers.onBroken();
  }

  onClose(): void {
    this.handlers.onClose();
  }

  #isOwner(): boolean {
    return !this.#isReleased && this.#connection.isOwnedBy(this);
  }
}
