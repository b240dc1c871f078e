/**
 * A connection that shows and takes the bytes inside of TLS, over another that carries them.
 *
 * Place: what a handshake ends in; watched, peeked, finished and relayed as every connection of the node engine.
 * How: a NodeConnection whose socket is Node's TLSSocket. Node decrypts and encrypts; the connection below reads and
 * writes the system's socket.
 * Invariants:
 * - close_notify is the peer's FIN. An end of TCP before it, an error of TLS, and a reset are all a reset: the owner gets
 *   what came before, then `onBroken`.
 * - A FIN of ours is close_notify and then TCP's; a reset is TCP's alone, so that the peer never takes it for an end.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

import type { ConnectionDeps } from '../node/connection-deps.ts';
import { NodeConnection } from '../node/node-connection.ts';
import type { Carrier, CarrierHandlers } from './carrier.ts';

const DEAF = 'the peer takes no bytes';

type Written = (error?: Error | null) => void;

export interface TlsParts {
  readonly below: NodeConnection;
  readonly carrier: Carrier;
  readonly stream: TLSSocket;
  /** Whether TLS has met close_notify, read or not. */
  readonly isFinished: () => boolean;
}

export class TlsConnection extends NodeConnection implements CarrierHandlers {
  readonly #below: NodeConnection;
  readonly #carrier: Carrier;
  readonly #isFinished: () => boolean;
  #endsAsReset = false;
  #hasFailed = false;
  /** The peer takes no bytes any more. */
  #isDeaf = false;
  #written: Written | undefined;

  /** The stream is paused, and nothing was read from it. */
  constructor({ below, carrier, stream, isFinished }: TlsParts, deps: ConnectionDeps) {
    const { isTcp, peerAddress, peerPort } = below;
    super(stream, { kind: isTcp ? 'tcp' : 'unix', address: peerAddress, port: peerPort }, deps);
    this.#below = below;
    this.#carrier = carrier;
    this.#isFinished = isFinished;
    stream.on('_tlsError', () => this.onBroken());
    carrier.handlers = this;
    carrier.closesBelow = true;
  }

  override get kernelSocket(): Socket {
    return this.#below.kernelSocket;
  }

  override get queuedBytes(): number {
    if (!this.hasUnsent) return 0;
    return Math.max(this.#below.queuedBytes + this.socket.writableLength, 1);
  }

  override endAsReset(): void {
    this.#endsAsReset = true;
    this.end();
  }

  override close(): void {
    // Both directions are over then, and the stream closes what is below.
    this.end();
  }

  override reset(): void {
    if (this.socket.destroyed) return;
    this.#resetBelow();
    this.socket.destroy();
  }

  onEnd(wasReset: boolean): void {
    if (wasReset || !this.#isFinished()) this.onBroken();
  }

  onBroken(): void {
    if (this.#hasFailed || this.socket.destroyed) return;
    this.#hasFailed = true;
    this.#resetBelow();
    this.fail();
    this.socket.destroy();
  }

  onClose(): void {
    const { socket } = this;
    // Both sides of TCP have ended, but what came last may still wait for its owner.
    if (this.#isFinished() && !socket.readableEnded) socket.once('end', () => socket.destroy());
    else socket.destroy();
  }

  onWriteFailed(): void {
    if (this.#isDeaf) return;
    this.#isDeaf = true;
    this.#written?.(new Error(DEAF));
  }

  protected override hand(bytes: Uint8Array, written: Written): void {
    this.#written = written;
    if (this.#isDeaf) process.nextTick(written, new Error(DEAF));
    else this.socket.write(bytes, written);
  }

  protected override conclude(how: 'end' | 'destroy'): void {
    if (how === 'destroy') this.#below.destroyWhenWritten();
    else if (this.#endsAsReset) this.#below.end();
    else super.conclude(how);
  }

  #resetBelow(): void {
    this.#carrier.release();
    this.#below.reset();
  }
}
