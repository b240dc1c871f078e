/**
 * Counters of listeners, upstreams and backends in shared memory: written without a lock, read without asking.
 *
 * Place: each thread that counts has a row of its own in every slot's block, control too (the last row). Control gives
 * out memory in chunks as slots are taken; data planes get the chunks with the plans that name the slots.
 * Why doubles: a count passes 2^31 within days, and a store of eight aligned bytes is one store.
 * Invariants:
 * - A cell has one writer. A worker that is started again goes on in the row of the one before, so its counts are kept.
 * - A total never goes down while its slot has the same owner; an owner begins at 0.
 */
import { BLOCK_CELLS, type Counter, type Histogram } from './layout.ts';
import { bucketOf } from './histogram.ts';

/** Slots per chunk. */
const CHUNK_SLOTS = 64;
const MS_PER_SECOND = 1_000;

/** The memory of `CHUNK_SLOTS` slots for all rows; can be posted. */
export interface CounterChunk {
  /** Its first slot is this times `CHUNK_SLOTS`. */
  readonly index: number;
  readonly buffer: SharedArrayBuffer;
}

export interface CountersMemory {
  readonly rows: number;
  /** Grows in control; what is posted is what there was then. */
  readonly chunks: readonly CounterChunk[];
}

/** One row of one slot's block. */
export class Cells {
  readonly #cells: Float64Array;
  readonly #at: number;

  constructor(cells: Float64Array, at: number) {
    this.#cells = cells;
    this.#at = at;
  }

  /** @param series which cell of the counter */
  add({ at }: Counter, series: number, by: number): void {
    this.#add(at + series, by);
  }

  /** Counts a time. */
  note({ at, sumAt, range }: Histogram, ms: number): void {
    const seconds = ms > 0 ? ms / MS_PER_SECOND : 0;
    this.#add(sumAt, seconds);
    this.#add(at + bucketOf(range, seconds), 1);
  }

  #add(cell: number, by: number): void {
    const at = this.#at + cell;
    // Typed-array reads inside the array's bounds are never undefined.
    this.#cells[at] = (this.#cells[at] ?? 0) + by;
  }
}

export class Counters {
  readonly #memory: CountersMemory;
  readonly #row: number;
  readonly #chunks: Float64Array[] = [];

  /** @param row in which this thread counts */
  constructor(memory: CountersMemory, row: number) {
    this.#memory = memory;
    this.#row = row;
  }

  /** Takes over memory that was given out; chunks that it has already are left as they are. */
  adopt(chunks: readonly CounterChunk[] = []): void {
    for (const { index, buffer } of chunks) this.#chunks[index] ??= new Float64Array(buffer);
  }

  /** Where this thread counts for a slot. A slot whose memory never came counts into the void. */
  cells(slot: number): Cells {
    const chunk = this.#chunkOf(slot);
    if (chunk === undefined) return new Cells(new Float64Array(BLOCK_CELLS), 0);
    return new Cells(chunk, this.#at(slot, this.#row));
  }

  /**
   * Reads the sums of all rows, a block for each slot that it is asked for.
   * @param most blocks: one piece of memory holds them, because a piece for each takes three times as long
   */
  reader(most: number): (slot: number) => Float64Array {
    const all = new Float64Array(most * BLOCK_CELLS);
    let end = 0;
    return slot => this.#sum(slot, all.subarray(end, (end += BLOCK_CELLS)));
  }

  #sum(slot: number, sums: Float64Array): Float64Array {
    const chunk = this.#chunkOf(slot);
    if (chunk === undefined) return sums;
    const first = this.#at(slot, 0);
    sums.set(chunk.subarray(first, first + BLOCK_CELLS));
    for (let row = 1; row < this.#memory.rows; row++) addTo(sums, chunk, this.#at(slot, row));
    return sums;
  }

  /** The slot has a new owner. No thread counts in it. */
  protected clear(slot: number): void {
    const chunk = this.#chunkOf(slot);
    for (let row = 0; row < this.#memory.rows; row++) {
      const at = this.#at(slot, row);
      chunk?.fill(0, at, at + BLOCK_CELLS);
    }
  }

  /** In the thread that gives out memory the list grows; elsewhere more comes with plans. */
  #chunkOf(slot: number): Float64Array | undefined {
    const index = Math.floor(slot / CHUNK_SLOTS);
    const known = this.#chunks[index];
    if (known !== undefined) return known;
    this.adopt(this.#memory.chunks.slice(index, index + 1));
    return this.#chunks[index];
  }

  #at(slot: number, row: number): number {
    return (row * CHUNK_SLOTS + (slot % CHUNK_SLOTS)) * BLOCK_CELLS;
  }
}

/** A function of its own: a scrape of many slots gets compiled code for it within the first of them. */
function addTo(sums: Float64Array, chunk: Float64Array, at: number): void {
  for (let cell = 0; cell < BLOCK_CELLS; cell++) {
    const count = chunk[at + cell] ?? 0;
    // Most cells are 0, and reading costs less than writing.
    if (count !== 0) sums[cell] = (sums[cell] ?? 0) + count;
  }
}

/** For control: also gives out memory. */
export class ControlledCounters extends Counters {
  readonly memory: CountersMemory;
  readonly #given: CounterChunk[];

  /** @param workers threads that balance, beside control */
  constructor(workers: number) {
    const given: CounterChunk[] = [];
    const memory = { rows: workers + 1, chunks: given };
    super(memory, workers);
    this.memory = memory;
    this.#given = given;
  }

  /** A slot was given out. */
  begin(slot: number): void {
    const index = Math.floor(slot / CHUNK_SLOTS);
    while (this.#given.length <= index) {
      // Pages that no thread touches take no memory.
      const buffer = new SharedArrayBuffer(8 * BLOCK_CELLS * CHUNK_SLOTS * this.memory.rows);
      const chunk = { index: this.#given.length, buffer };
      this.#given.push(chunk);
    }
    this.clear(slot);
  }

  /** The memory of these slots, for a plan that names them. */
  chunksOf(slots: Iterable<number>): readonly CounterChunk[] {
    const indexes = new Set(Array.from(slots, slot => Math.floor(slot / CHUNK_SLOTS)));
    return [...indexes].flatMap(index => this.#given[index] ?? []);
  }
}
