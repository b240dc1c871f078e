/**
 * Last words for a client that gets no backend: bytes, a FIN, then patience within bounds.
 *
 * Place: the owner of a connection after `finish`. Closing a socket with unread bytes would reset it and take
 * the last words with it (RFC 1122 4.2.2.13), so what the peer still sends is swallowed for a while.
 */
import * as abi from '../../linux/abi.ts';
import type { ConnectionOwner, EpollConnection } from './epoll-connection.ts';
import type { EpollDeps } from './epoll-deps.ts';
import { EAGAIN } from '../../linux/system-error.ts';

/** It swallows this much, then stops reading and leaves the rest to the kernel's buffers. */
const SWALLOW_LIMIT_BYTES = 64 * 1024;
const SWALLOW_LIMIT_MS = 2000;

export class Finishing implements ConnectionOwner {
  readonly #deps: EpollDeps;
  readonly #cancelTimer: () => void;
  #rest: Uint8Array | undefined;
  #finSent = false;
  #swallowedBytes = 0;

  constructor(connection: EpollConnection, bytes: Uint8Array | undefined, deps: EpollDeps) {
    this.#deps = deps;
    this.#rest = bytes !== undefined && bytes.length > 0 ? bytes : undefined;
    this.#cancelTimer = deps.setTimer(() => connection.reset(), SWALLOW_LIMIT_MS);
    this.#speak(connection);
    if (connection.readable) deps.reactor.defer(() => this.onReady(connection));
  }

  onReady(connection: EpollConnection): void {
    if (!this.#finSent) this.#speak(connection);
    if (connection.owner === this && connection.readable) this.#swallow(connection);
  }

  /** Other code has closed the connection. */
  left(): void {
    this.#cancelTimer();
    this.#deps.room.leave();
  }

  #speak(connection: EpollConnection): void {
    if (this.#rest !== undefined) {
      const sent = connection.send(this.#rest, this.#rest.length);
      if (sent < 0 && this.#deps.libc.errno() !== EAGAIN) {
        this.#end(connection);
        return;
      }
      this.#rest = this.#rest.subarray(Math.max(sent, 0));
      if (this.#rest.length > 0) return;
      this.#rest = undefined;
    }
    this.#finSent = true;
    this.#deps.libc.shutdown(connection.fd, abi.SHUT_WR);
  }

  #swallow(connection: EpollConnection): void {
    const { libc, readBuffer } = this.#deps;
    while (this.#swallowedBytes <= SWALLOW_LIMIT_BYTES) {
      const count = libc.recv(connection.fd, readBuffer, readBuffer.length, 0);
      if (count > 0) {
        this.#swallowedBytes += count;
      } else if (count < 0 && libc.errno() === EAGAIN) {
        connection.readable = false;
        return;
      } else {
        this.#end(connection);
        return;
      }
    }
  }

  #end(connection: EpollConnection): void {
    connection.close();
    this.left();
  }
}
