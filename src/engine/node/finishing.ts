/**
 * Last words for a client that gets no backend: bytes, a FIN, then patience within bounds.
 *
 * Place: the owner of a connection after `finish`. Closing a socket with unread bytes would reset it and take
 * the last words with it (RFC 1122 4.2.2.13), so what the peer still sends is swallowed for a while.
 * Invariant: the place in the room that was taken for it is given back once, when the socket is closed.
 */
import type { Room } from '../room.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { ConnectionOwner } from './connection-owner.ts';
import type { NodeConnection } from './node-connection.ts';

/** It swallows this much, then stops reading and leaves the rest to the kernel's buffers. */
const SWALLOW_LIMIT_BYTES = 64 * 1024;
const SWALLOW_LIMIT_MS = 2000;

export class Finishing implements ConnectionOwner {
  readonly #connection: NodeConnection;
  readonly #room: Room;
  readonly #cancelTimer: () => void;
  #swallowedBytes = 0;

  constructor(connection: NodeConnection, deps: { readonly room: Room; readonly setTimer: SetTimer }) {
    this.#connection = connection;
    this.#room = deps.room;
    this.#cancelTimer = deps.setTimer(() => connection.socket.destroy(), SWALLOW_LIMIT_MS);
  }

  onData(chunk: Buffer): void {
    this.#swallowedBytes += chunk.length;
    if (this.#swallowedBytes > SWALLOW_LIMIT_BYTES) this.#connection.pauseReading();
  }

  onEnd(): void {
    // Its own FIN follows the last words, or was sent already.
  }

  onDrain(): void {
    // The connection itself sends the FIN.
  }

  onWriteFailed(): void {
    this.#connection.socket.destroy();
  }

  onBroken(): void {
    // The close follows.
  }

  onClose(): void {
    this.#cancelTimer();
    this.#room.leave();
  }
}
