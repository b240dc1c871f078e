/**
 * Counters of listeners, upstreams and backends in shared memory: written without a lock, read without asking.
 *
 * Place: each thread that counts has a row of its own in every slot's block: control the first one, a worker the one
 * behind its number. Control gives out memory in chunks as slots are taken; data planes get the chunks with the plans
 * that name the slots. Rows of workers that may come later cost nothing until then: they are neither read nor cleared.
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

/** Where a slot's counts stand: in a block for each row, and the sums over these blocks are the counts. */
export interface Blocks {
  readonly cells: Float64Array;
  /** The first cell of the first block; the next one begins `ROW_CELLS` after it. */
  readonly at: number;
  readonly rows: number;
}

export const ROW_CELLS = CHUNK_SLOTS * BLOCK_CELLS;
const CONTROL = -1;
const NO_BLOCKS: Blocks = { cells: new Float64Array(), at: 0, rows: 0 };

export interface CountersMemory {
  /** Rows in use. This and the next grow in control; what is posted is what there was then. */
  rows: number;
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

  /** @param worker whose view it is, numbered from 0; CONTROL for control's */
  constructor(memory: CountersMemory, worker: number) {
    this.#memory = memory;
    this.#row = 1 + worker;
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

  /** The shared memory itself: what is read there within one step is of that moment. */
  live(slot: number): Blocks {
    const cells = this.#chunkOf(slot);
    return cells === undefined ? NO_BLOCKS : { cells, at: this.#at(slot, 0), rows: this.#memory.rows };
  }

  /**
   * Copies the sums of all rows, a block for each slot that it is asked for.
   * @param most blocks: one piece of memory holds them, because a piece for each takes three times as long
   */
  copier(most: number): (slot: number) => Blocks {
    const cells = new Float64Array(most * BLOCK_CELLS);
    let at = -BLOCK_CELLS;
    return slot => {
      const chunk = this.#chunkOf(slot);
      if (chunk === undefined) return NO_BLOCKS;
      at += BLOCK_CELLS;
      for (let row = 0; row < this.#memory.rows; row++) addTo(cells, at, chunk, this.#at(slot, row));
      return { cells, at, rows: 1 };
    };
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
    return row * ROW_CELLS + (slot % CHUNK_SLOTS) * BLOCK_CELLS;
  }
}

/** A function of its own: a scrape of many slots gets compiled code for it within the first of them. */
function addTo(sums: Float64Array, to: number, chunk: Float64Array, from: number): void {
  for (let cell = 0; cell < BLOCK_CELLS; cell++) {
    const count = chunk[from + cell] ?? 0;
    // Most cells are 0, and reading costs less than writing.
    if (count !== 0) sums[to + cell] = (sums[to + cell] ?? 0) + count;
  }
}

/** For control: also gives out memory. */
export class ControlledCounters extends Counters {
  readonly memory: CountersMemory;
  readonly #given: CounterChunk[];
  readonly #mostRows: number;

  /** @param workers threads that balance, beside control; @param mostWorkers how many these may become */
  constructor(workers: number, mostWorkers = workers) {
    const given: CounterChunk[] = [];
    const memory = { rows: 1 + workers, chunks: given };
    super(memory, CONTROL);
    this.memory = memory;
    this.#given = given;
    this.#mostRows = 1 + mostWorkers;
  }

  /** @param workers threads that count from now on, beside control */
  expectWorkers(workers: number): void {
    this.memory.rows = Math.min(1 + workers, this.#mostRows);
  }

  /** A slot was given out. */
  begin(slot: number): void {
    const index = Math.floor(slot / CHUNK_SLOTS);
    while (this.#given.length <= index) {
      // Pages that no thread touches take no memory.
      const buffer = new SharedArrayBuffer(8 * BLOCK_CELLS * CHUNK_SLOTS * this.#mostRows);
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
