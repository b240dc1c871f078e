/**
 * Reads the fields of a message one after the other.
 *
 * Place: a part of parse-message.ts.
 * How: past the end, everything is zero and empty, and `isBroken` from then on. So the reader is asked once, at the end.
 */
export class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;
  #isBroken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A field went past the end. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Everything was read, and nothing beyond. */
  get isDone(): boolean {
    return this.isAtEnd() && !this.#isBroken;
  }

  uint8(): number {
    return this.bytes(1)[0] ?? 0;
  }

  uint16(): number {
    const [high = 0, low = 0] = this.bytes(2);
    return (high << 8) | low;
  }

  /** The next bytes, not copied. */
  bytes(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) {
      this.#isBroken = true;
      this.#at = this.#bytes.length;
      return this.#bytes.subarray(this.#at);
    }
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  /** Bytes behind a length of one byte. */
  short(): Uint8Array {
    return this.bytes(this.uint8());
  }

  /** Bytes behind a length of two bytes. */
  long(): Uint8Array {
    return this.bytes(this.uint16());
  }
}
