/**
 * Live sessions per backend, per listener and of the whole instance, and those that wait for an upstream: exact over
 * all threads that balance.
 *
 * Place: control gives out slots (slot-table.ts); each data plane counts through a view of its own over the same
 * memory. A slot has one total, which is compared with limits, and a cell in the row of each worker, so that a dead
 * worker's sessions can be subtracted.
 * Invariants:
 * - Totals are changed with Atomics, unless one thread alone counts. A row is written by its own thread only, so it needs
 *   none: others read whole numbers in any case, and the row of a dead thread when no one writes it any more.
 * - A total with a maximum never exceeds it, not even for an instant: an add that is taken back would make other
 *   threads fail in vain, and nothing would wake them.
 * - A thread is never stopped between its total and its row, because nothing is called between the two.
 */

/** What another thread needs to count in the same memory; can be posted. */
export interface CountsMemory {
  readonly buffer: SharedArrayBuffer;
  readonly slots: number;
  /** Rows: as many threads may count. */
  readonly workers: number;
}

export class LiveCounts {
  readonly memory: CountsMemory;
  readonly #totals: Int32Array;
  /** Not 0 where a data plane waits for a place. */
  readonly #awaited: Int32Array;
  readonly #row: Int32Array;
  /** How many threads count now, where these are fewer than there are rows; 0: all. */
  readonly #threads: Int32Array;
  readonly #isAlone: boolean;

  /** @param worker whose view it is, numbered from 0 */
  constructor(memory: CountsMemory, worker = 0) {
    const { buffer, slots } = memory;
    this.memory = memory;
    this.#totals = new Int32Array(buffer, 0, slots);
    this.#awaited = new Int32Array(buffer, 4 * slots, slots);
    this.#row = this.#rowOf(worker);
    this.#threads = new Int32Array(buffer, 4 * slots * (2 + memory.workers), 1);
    this.#isAlone = memory.workers === 1;
  }

  /** Memory for `workers` threads that count. Pages that no slot touches take no memory. */
  static allocate(slots: number, workers: number): CountsMemory {
    return { buffer: new SharedArrayBuffer(4 * (slots * (2 + workers) + 1)), slots, workers };
  }

  /** How many threads count now. */
  get threads(): number {
    return Atomics.load(this.#threads, 0) || this.memory.workers;
  }

  /** Set by control, before the threads start that it has not been until then. */
  set threads(count: number) {
    Atomics.store(this.#threads, 0, count);
  }

  /** Sessions of all workers. */
  live(slot: number): number {
    return this.#isAlone ? (this.#totals[slot] ?? 0) : Atomics.load(this.#totals, slot);
  }

  /** Sessions of one worker, numbered from 0. */
  liveOf(worker: number, slot: number): number {
    return Atomics.load(this.#rowOf(worker), slot);
  }

  /** Counts one session more, unless that would be more than `max`. */
  take(slot: number, max: number | undefined): boolean {
    if (max === undefined || max === Infinity) this.#add(slot, 1);
    else if (!this.#addBelow(slot, max)) return false;
    this.#count(slot, 1);
    return true;
  }

  /** Counts one session less; true when a data plane had asked for it (`awaitPlace`), which is then forgotten. */
  release(slot: number): boolean {
    this.#add(slot, -1);
    this.#count(slot, -1);
    return Atomics.load(this.#awaited, slot) !== 0 && Atomics.exchange(this.#awaited, slot, 0) !== 0;
  }

  /**
   * Asks for the next place: the `release` that frees it returns true. False when there is a place already: it asks
   * first and looks then, so it cannot miss a place that is freed in between.
   */
  awaitPlace(slot: number, max: number): boolean {
    Atomics.store(this.#awaited, slot, 1);
    return this.live(slot) >= max;
  }

  /** Takes a dead worker's sessions out of the totals of the first `used` slots. */
  forget(worker: number, used: number): void {
    const row = this.#rowOf(worker);
    for (let slot = 0; slot < used; slot++) {
      const lost = Atomics.exchange(row, slot, 0);
      if (lost !== 0) Atomics.sub(this.#totals, slot, lost);
    }
  }

  #add(slot: number, by: 1 | -1): void {
    const totals = this.#totals;
    // Typed-array reads inside the array's bounds are never undefined.
    if (this.#isAlone) totals[slot] = (totals[slot] ?? 0) + by;
    else Atomics.add(totals, slot, by);
  }

  #addBelow(slot: number, max: number): boolean {
    const totals = this.#totals;
    for (;;) {
      const before = Atomics.load(totals, slot);
      if (before >= max) return false;
      if (Atomics.compareExchange(totals, slot, before, before + 1) === before) return true;
    }
  }

  #count(slot: number, by: 1 | -1): void {
    const row = this.#row;
    row[slot] = (row[slot] ?? 0) + by;
  }

  #rowOf(worker: number): Int32Array {
    const { buffer, slots } = this.memory;
    return new Int32Array(buffer, 4 * slots * (2 + worker), slots);
  }
}
