/**
 * What a relay has to look out for whose backend's connection was parked before: it may have died unnoticed, and one
 * that has served another client may still say something to that one.
 *
 * Place: kept by a relay that can start over (`onStale`); a relay over a new connection has none.
 */
import type { Direction } from './direction.ts';
import type { Libc } from '../../linux/libc.ts';
import { Replay } from './replay.ts';

export class ParkedBackend {
  readonly #up: Direction;
  #isGuarded: boolean;
  #replay: Replay | undefined;

  /** Before a byte is sent to the backend. `wasUsed`: the connection has served another client. */
  constructor(libc: Libc, up: Direction, wasUsed: boolean) {
    this.#up = up;
    this.#isGuarded = wasUsed;
    if (up.to.isTcp) this.#replay = new Replay(libc, up.to, up.prefaceBytes);
    // What was read of the client before this relay may meet a dead connection here, perhaps again.
    const { untouched } = up;
    if (untouched !== undefined && this.#replay?.keep(untouched) === false) this.#replay = undefined;
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

  /**
   * Asked before `direction` moves: whether the backend speaks before its new client does, so that it speaks to the
   * client before. From the client's first bytes or its end on the backend may answer it.
   */
  hasLateByte(direction: Direction): boolean {
    const isReadable = direction.from.readable;
    if (!isReadable && !direction.hasPending) return false;
    const isLate = this.#up.to.unreadBytes > 0;
    if (direction === this.#up && (isReadable || direction.receivedBytes > 0)) this.#isGuarded = false;
    return isLate;
  }

  /** Keeps what the client has just sent; once the backend speaks there is nothing to replay any more. */
  keep(bytes: Uint8Array, direction: Direction): void {
    if (direction.by === 'backend' || this.#replay?.keep(bytes) === false) this.#replay = undefined;
  }

  /** What the client has sent, to come first in its next relay. */
  clientBytes(): Uint8Array | undefined {
    return this.#replay?.bytes() ?? this.#up.untouched;
  }
}
