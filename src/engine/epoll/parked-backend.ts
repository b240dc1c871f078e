/**
 * What a relay checks when its backend's connection was parked before: the connection may have died unnoticed, and on
 * one that has served another client the backend may still send bytes for that client.
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

  /** To be made before a byte is sent to the backend. `wasUsed`: the connection has served another client. */
  constructor(libc: Libc, up: Direction, wasUsed: boolean) {
    this.#up = up;
    this.#isGuarded = wasUsed;
    if (up.to.isTcp) this.#replay = new Replay(libc, up.to, up.prefaceBytes);
    // What was read of the client before this relay may meet a dead connection here, perhaps not for the first time.
    const { untouched } = up;
    if (untouched !== undefined && this.#replay?.keep(untouched) === false) this.#replay = undefined;
  }

  /** A byte that the backend sends now would be meant for the client before this one. */
  get isGuarded(): boolean {
    return this.#isGuarded;
  }

  /** Whether it can be proved that the backend was dead before it got a byte. */
  get canTell(): boolean {
    return this.#replay !== undefined;
  }

  /** What the backend had sent or done before the session got it has been seen. */
  begin(): void {
    this.#replay?.begin();
  }

  /** What the backend's end means (replay.ts); undefined when it is an end like any other. */
  judge(): ReturnType<Replay['judge']> | undefined {
    return this.#replay?.judge();
  }

  /**
   * Asked before `direction` moves: true when the backend sends before its new client does, so that its bytes are meant
   * for the client before. Once the client has sent bytes or its end, the backend may be answering that.
   */
  hasLateByte(direction: Direction): boolean {
    const isReadable = direction.from.readable;
    if (!isReadable && !direction.hasPending) return false;
    const isLate = this.#up.to.unreadBytes > 0;
    if (direction === this.#up && (isReadable || direction.receivedBytes > 0)) this.#isGuarded = false;
    return isLate;
  }

  /** Keeps what the client has just sent; once the backend sends, nothing can be replayed any more. */
  keepRead(buffer: Buffer, { by, receivedBytes }: Direction, receivedBefore: number): void {
    const bytes = buffer.subarray(0, receivedBytes - receivedBefore);
    if (by === 'backend' || this.#replay?.keep(bytes) === false) this.#replay = undefined;
  }

  /** What the client has sent, to come first in its next relay. */
  clientBytes(): Uint8Array | undefined {
    return this.#replay?.bytes() ?? this.#up.untouched;
  }
}
