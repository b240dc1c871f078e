/**
 * Where sockets read into: one buffer that all share, and large ones of their own for sockets that read much.
 *
 * Place: one per engine; every connection asks for the place of its next read (`onread` of net.Socket).
 * Why: without it Node allocates 64 KiB for each read. libuv keeps a socket's buffer address from one read to the
 * next, so a buffer that other sockets read into must never wait in a write: what is read into the shared one is
 * copied before it goes on, which is cheap because it is small. A socket that reads much gets a large buffer of
 * its own, whose bytes are passed on without a copy (docs/adr/0005-node-engine-speed.md).
 * Invariants:
 * - a large buffer belongs to one connection;
 * - at most `limit` are lent out; beyond that large reads are copied too;
 * - a buffer comes back only when no write refers to it; otherwise it is left to the garbage collector.
 */

/** A socket that reads this much at once gets a large buffer, and keeps it while it reads no less than the other. */
export const LARGE_FROM_BYTES = 16 * 1024;
export const LARGE_UNTIL_BYTES = 4 * 1024;

const SHARED_BYTES = 64 * 1024;
const LARGE_BYTES = 256 * 1024;
/** 16 MiB for one engine at most. */
const LARGE_LIMIT = 64;
const KEPT_LIMIT = 16;

export class ReadBuffers {
  readonly shared = Buffer.allocUnsafeSlow(SHARED_BYTES);
  readonly #free: Buffer[] = [];
  #lent = 0;

  /** A large buffer, to be given back or dropped; undefined when `limit` of them are lent. */
  lend(): Buffer | undefined {
    if (this.#lent >= LARGE_LIMIT) return undefined;
    this.#lent++;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
  }

  /** Nothing refers to the buffer any more. */
  giveBack(buffer: Buffer): void {
    this.#lent--;
    if (this.#free.length < KEPT_LIMIT) this.#free.push(buffer);
  }

  /** A write may still refer to the buffer, so it must not be lent again. */
  drop(): void {
    this.#lent--;
  }
}
