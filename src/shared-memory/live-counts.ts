/**
 * Live sessions per backend, per listener and of the whole instance, and those that wait for an upstream: exact over
 * all threads that balance.
 *
 * Place: control gives out slots; each data plane counts through a view of its own over the same memory. A slot
 * has one total, which limits are held against, and one row per worker, so that a dead worker's sessions can be
 * taken out of the books.
 * Invariants: changed with Atomics only; with a maximum a total never passes it, not even for an instant (an add
 * that is taken back would make others fail in vain, and nobody would wake them); a slot belongs to one thing
 * for the life of the process; a thread is never stopped between its total and its row, because nothing is
 * called between the two.
 */
const MIN_BACKENDS = 1024;

/** What another thread needs to count in the same memory; can be posted. */
export interface CountsMemory {
  readonly buffer: SharedArrayBuffer;
  readonly slots: number;
  readonly workers: number;
}

export interface CountsSize {
  /** How many are known at the start; there is room for as many again. */
  readonly backends: number;
  /** Default 0. */
  readonly listeners?: number;
  /** Default 0. */
  readonly upstreams?: number;
  /** Threads that count; default 1. */
  readonly workers?: number;
}

export class LiveCounts {
  readonly memory: CountsMemory;
  readonly #totals: Int32Array;
  /** Not 0 where somebody waits for a place. */
  readonly #awaited: Int32Array;
  readonly #row: Int32Array;
  readonly #backendLimit: number;
  readonly #slots = new Map<string, number>();
  readonly #backends = new Map<string, Map<string, number>>();
  #backendCount = 0;

  constructor(
    { backends, listeners = 0, upstreams = 0, workers = 1 }: CountsSize,
    memory?: CountsMemory,
    worker = 0,
  ) {
    this.#backendLimit = Math.max(MIN_BACKENDS, 2 * backends);
    const slots = memory?.slots ?? this.#backendLimit + listeners + upstreams + 1;
    const buffer = memory?.buffer ?? new SharedArrayBuffer(4 * slots * (2 + workers));
    this.memory = memory ?? { buffer, slots, workers };
    this.#totals = new Int32Array(buffer, 0, slots);
    this.#awaited = new Int32Array(buffer, 4 * slots, slots);
    this.#row = this.#rowOf(worker);
  }

  /** The view of one worker, numbered from 0, over memory that control has made. */
  static forWorker(memory: CountsMemory, worker: number): LiveCounts {
    return new LiveCounts({ backends: 0 }, memory, worker);
  }

  /** The slot of a backend; the same upstream and backend always get the same slot. Control only. */
  slotOf(upstream: string, backend: string): number {
    const backends = this.#backends.get(upstream) ?? new Map<string, number>();
    this.#backends.set(upstream, backends);
    const known = backends.get(backend);
    if (known !== undefined) return known;
    if (this.#backendCount === this.#backendLimit) {
      throw new RangeError(`no room for more than ${this.#backendLimit} backends`);
    }
    this.#backendCount += 1;
    const slot = this.#slot(`${upstream}\n${backend}`);
    backends.set(backend, slot);
    return slot;
  }

  /** Every backend that the upstream has ever had, with its slot. Control only. */
  backendsOf(upstream: string): ReadonlyMap<string, number> {
    return this.#backends.get(upstream) ?? new Map<string, number>();
  }

  slotOfListener(listener: string): number {
    return this.#slot(`\nlistener\n${listener}`);
  }

  /** Where the sessions that wait for an upstream are counted. */
  slotOfQueue(upstream: string): number {
    return this.#slot(`\nqueue\n${upstream}`);
  }

  slotOfInstance(): number {
    return this.#slot('\ninstance');
  }

  /** Sessions of all workers. */
  live(slot: number): number {
    return Atomics.load(this.#totals, slot);
  }

  /** Sessions of one worker, numbered from 0. */
  liveOf(worker: number, slot: number): number {
    return Atomics.load(this.#rowOf(worker), slot);
  }

  /** Counts one session more, unless that would be more than `max`. */
  take(slot: number, max: number | undefined): boolean {
    if (max === undefined || max === Infinity) {
      Atomics.add(this.#totals, slot, 1);
      Atomics.add(this.#row, slot, 1);
      return true;
    }
    for (;;) {
      const before = Atomics.load(this.#totals, slot);
      if (before >= max) return false;
      if (Atomics.compareExchange(this.#totals, slot, before, before + 1) !== before) continue;
      Atomics.add(this.#row, slot, 1);
      return true;
    }
  }

  /** Counts one session less; true when somebody had asked to be told (`awaitPlace`), which is then forgotten. */
  release(slot: number): boolean {
    Atomics.sub(this.#totals, slot, 1);
    Atomics.sub(this.#row, slot, 1);
    return Atomics.load(this.#awaited, slot) !== 0 && Atomics.exchange(this.#awaited, slot, 0) !== 0;
  }

  /**
   * Asks whoever frees the next place to say so. False when there is a place already: who asks and then looks
   * cannot miss one that is freed in between.
   */
  awaitPlace(slot: number, max: number): boolean {
    Atomics.store(this.#awaited, slot, 1);
    return this.live(slot) >= max;
  }

  /** Takes a dead worker's sessions out of the totals. */
  forget(worker: number): void {
    const row = this.#rowOf(worker);
    for (let slot = 0; slot < row.length; slot++) {
      const lost = Atomics.exchange(row, slot, 0);
      if (lost !== 0) Atomics.sub(this.#totals, slot, lost);
    }
  }

  #rowOf(worker: number): Int32Array {
    const { buffer, slots } = this.memory;
    return new Int32Array(buffer, 4 * slots * (2 + worker), slots);
  }

  #slot(key: string): number {
    const slot = this.#slots.get(key) ?? this.#slots.size;
    this.#slots.set(key, slot);
    return slot;
  }
}
