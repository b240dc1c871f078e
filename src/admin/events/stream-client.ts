/**
 * One client that follows events: what waits for it, and whether it still takes anything.
 *
 * Place: event-streams.ts has a set of them.
 */
import type { ServerResponse } from 'node:http';

/** Of events that a client has not taken yet; several times what all that are kept come to. */
const MOST_BUFFERED = 2 ** 20;

export interface StreamClientParts {
  readonly upstream: string | undefined;
  readonly statusMs: number | undefined;
  /** It has come through the unix socket. */
  readonly isLocal: boolean;
}

export class StreamClient {
  readonly upstream: string | undefined;
  readonly statusMs: number | undefined;
  readonly isLocal: boolean;
  readonly #response: ServerResponse;
  #waitedMs = 0;
  /** Bytes that it had taken at the last look, if any waited for it then. */
  #taken: number | undefined;

  constructor(response: ServerResponse, { upstream, statusMs, isLocal }: StreamClientParts) {
    this.#response = response;
    this.upstream = upstream;
    this.statusMs = statusMs;
    this.isLocal = isLocal;
  }

  /** It has not taken much of what it was sent. What was sent in this turn counts only if it is much, too. */
  get isBehind(): boolean {
    return this.#response.writableNeedDrain;
  }

  get isFull(): boolean {
    return this.#response.writableLength > MOST_BUFFERED;
  }

  /** @param bytes may be shared with other clients */
  send(bytes: Buffer): void {
    this.#response.write(bytes);
  }

  /** In order: after everything that was sent. */
  finish(): void {
    this.#response.end();
  }

  end(): void {
    this.#response.destroy();
  }

  /** Whether it has taken nothing since the last call, when something waited for it already. */
  isStuck(): boolean {
    const before = this.#taken;
    const { socket } = this.#response;
    const waits = this.#response.writableLength > 0;
    this.#taken = waits && socket !== null ? socket.bytesWritten - socket.writableLength : undefined;
    return this.#taken !== undefined && this.#taken === before;
  }

  /** Whether it is its turn, when as much time has passed. */
  isStatusDue(passedMs: number): boolean {
    if (this.statusMs === undefined) return false;
    this.#waitedMs += passedMs;
    if (this.#waitedMs < this.statusMs) return false;
    this.#waitedMs = 0;
    return true;
  }
}
