/**
 * What a relay has to look out for whose backend's connection was parked before: it may have died unnoticed, and one
 * that has served another client may still say something to that one.
 *
 * Place: kept by a relay that can start over (`onStale`); a relay over a new connection has none.
 */
import type { Direction } from './direction.ts';
import type { EpollConnection } from './epoll-connection.ts';
import type { Libc } from './libc.ts';
import { Replay } from './replay.ts';

export class ParkedBackend {
  readonly #backend: EpollConnection;
  #isGuarded: boolean;
  #replay: Replay | undefined;

  /**
   * Before either connection is touched. `unread`: what an earlier relay has taken from the client and could give to
   * nobody. `wasUsed`: the connection has served another client.
   */
  constructor(libc: Libc, backend: EpollConnection, unread: Buffer | undefined, wasUsed: boolean) {
    this.#backend = backend;
    this.#isGuarded = wasUsed;
    if (backend.isTcp) this.#replay = new Replay(libc, backend);
    // It may meet a dead connection here again.
    if (unread !== undefined && this.#replay?.keep(unread) === false) this.#replay = undefined;
  }

  /** A byte of the backend's would be meant for the client before this one. */
  get isGuarded(): boolean {
    return this.#isGuarded;
  }

  /** Whether it can be proved that the backend was dead before it got a byte. */
  get canTell(): boolean {
    return this.#replay !== undefined;
  }

  /** What the backend had said or done before the session got it has been seen. */
  begin(): void {
    this.#replay?.begin();
  }

  /** What the backend's end means (replay.ts); undefined when it means what it says. */
  judge(): ReturnType<Replay['judge']> | undefined {
    return this.#replay?.judge();
  }

  /** The client's first bytes or its end are about to be read: from then on the backend may answer it. */
  clientSpeaks(): void {
    this.#isGuarded = false;
  }

  /** Whether the backend speaks before its new client does: it speaks to the client before. */
  hasLateByte(): boolean {
    return this.#isGuarded && this.#backend.unreadBytes > 0;
  }

  /** Keeps what the client has just sent; once the backend speaks there is nothing to replay any more. */
  keep(bytes: Uint8Array, direction: Direction): void {
    if (direction.by === 'backend' || this.#replay?.keep(bytes) === false) this.#replay = undefined;
  }

  /** What the client has sent, to come first in its next relay. */
  clientBytes(): Buffer | undefined {
    return this.#replay?.bytes();
  }
}
