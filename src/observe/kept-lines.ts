/**
 * Lines in their order, from the moment they are written until all of their bytes are taken.
 *
 * Place: what a `LineBuffer` keeps. Lines wait as text; those that are handed to the output are bytes, the chunk.
 * Invariant: `bytes` and `count` are those of every line that is not taken whole, also of those in the chunk.
 */
const NEWLINE = 0x0a;

export class KeptLines {
  /** The lines from `#first` on wait; those before are in the chunk, or gone. */
  #lines: string[] = [];
  #first = 0;
  #bytes = 0;
  #chunk: Buffer | undefined;

  get bytes(): number {
    return this.#bytes;
  }

  /** What was handed over and is not taken yet. */
  get chunk(): Buffer | undefined {
    return this.#chunk;
  }

  get areWaiting(): boolean {
    return this.#first < this.#lines.length;
  }

  /** Lines that are not taken whole. */
  count(): number {
    let count = this.#lines.length - this.#first;
    const chunk = this.#chunk ?? Buffer.alloc(0);
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) count += 1;
    return count;
  }

  /** @param bytes the length of the line as UTF-8 */
  add(line: string, bytes = Buffer.byteLength(line)): void {
    this.#lines.push(line);
    this.#bytes += bytes;
  }

  /** Makes a chunk of waiting lines: at least one, and then as many as have about this many characters. */
  fillChunk(characters: number): Buffer {
    return (this.#chunk = Buffer.from(this.#takeLines(characters)));
  }

  /** The first bytes of the chunk are gone. */
  taken(bytes: number): void {
    const chunk = this.#chunk ?? Buffer.alloc(0);
    this.#chunk = bytes < chunk.length ? chunk.subarray(bytes) : undefined;
    this.#bytes -= bytes;
  }

  /** Everything, in one piece; `withoutChunk`: what waits only. */
  takeAll({ withoutChunk }: { readonly withoutChunk: boolean }): Buffer {
    const chunk = withoutChunk ? undefined : this.#chunk;
    this.#chunk = undefined;
    this.#bytes = 0;
    return Buffer.concat([chunk ?? Buffer.alloc(0), Buffer.from(this.#takeLines(Infinity))]);
  }

  #takeLines(characters: number): string {
    let end = this.#first;
    for (let taken = 0; end < this.#lines.length && taken < characters; end++) {
      taken += this.#lines[end]?.length ?? 0;
    }
    const text = this.#lines.slice(this.#first, end).join('');
    this.#first = end;
    if (end === this.#lines.length || end > this.#lines.length / 2) {
      this.#lines = this.#lines.slice(end);
      this.#first = 0;
    }
    return text;
  }
}
