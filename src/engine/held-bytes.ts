/**
 * Bytes of a connection that were read before a relay has it: what a watch or a peek has read, and what an earlier
 * relay could give to no backend. The next relay sends them first.
 *
 * Place: kept by the connections of both engines.
 * Why one piece: a peek shows all bytes each time more arrive. The memory doubles as it grows, so that a peer that
 * sends byte after byte costs time in proportion to its bytes, not to their square.
 * Invariant: bytes that were shown never change: further bytes are written behind them, or to new memory.
 */
import { Lb4Error } from '../errors.ts';

export class HeldBytes {
  #memory: Uint8Array;
  #start = 0;
  #end: number;

  /** `bytes` must not change from now on. */
  constructor(bytes: Uint8Array) {
    this.#memory = bytes;
    this.#end = bytes.length;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** The first of the bytes, up to `limitBytes`. */
  show(limitBytes = Infinity): Buffer {
    // Each Buffer costs as much as a short copy: where all bytes are wanted, the memory is one already.
    const memory = this.#memory;
    const isAll = this.#start === 0 && this.#end === memory.length && this.#end <= limitBytes;
    if (isAll && memory instanceof Buffer) return memory;
    const { buffer, byteOffset } = memory;
    return Buffer.from(buffer, byteOffset + this.#start, Math.min(this.length, limitBytes));
  }

  /** Copies `bytes` behind the others. */
  append(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#memory.length) this.#grow(bytes.length);
    this.#memory.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Drops the first `count` bytes. */
  drop(count: number): void {
    if (!Number.isInteger(count) || count < 0 || count > this.length) {
      throw new Lb4Error('LB4_WRONG_STATE', `take(${count}) of a connection that holds ${this.length} bytes`);
    }
    this.#start += count;
  }

  #grow(bytes: number): void {
    const { length } = this;
    const grown = Buffer.allocUnsafe(Math.max(length + bytes, 2 * length));
    grown.set(this.show());
    this.#memory = grown;
    this.#start = 0;
    this.#end = length;
  }
}

/** What of `held` is left once `count` bytes are dropped; throws when there are fewer. */
export function takeFrom(held: HeldBytes | undefined, count: number): HeldBytes | undefined {
  const left = held ?? new HeldBytes(NOTHING);
  left.drop(count);
  return left.length === 0 ? undefined : left;
}

const NOTHING = Buffer.alloc(0);
