/**
 * How much of a listener's bandwidth is spoken for, over all threads: for each direction the time up to which it is.
 *
 * Place: two cells per slot in shared memory; each data plane takes time for the bytes that it moves.
 * How: bytes at a rate are a span of time. The spans that are taken follow each other. One that takes a span learns
 * when it begins, and waits until then: first come, first served, over all threads, with one atomic step. Unused time
 * is lost, but for the last `BURST_MS`. That is the generic cell rate algorithm (ITU-T I.371), with spans instead of
 * cells.
 * Why no counter of tokens: a thread that dies owes nothing (the time passes), and another rate needs no conversion.
 * Invariants:
 * - times are of the system's monotonic clock, which is the same in all threads;
 * - in any period no more time is taken than its length and `BURST_MS`, but for what is taken afterwards, for bytes
 *   that have moved already.
 */

/** Unused time that may be made up for: as long as a thread of a busy machine may have to wait for a core. */
export const BURST_MS = 100;
const NS_PER_MS = 1e6;
const DIRECTIONS = 2;

export class ByteTimes {
  readonly memory: SharedArrayBuffer;
  /** Nanoseconds. */
  readonly #cells: BigInt64Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#cells = new BigInt64Array(memory);
  }

  /** Pages that no slot touches take no memory. */
  static allocate(slots: number): SharedArrayBuffer {
    return new SharedArrayBuffer(slots * DIRECTIONS * BigInt64Array.BYTES_PER_ELEMENT);
  }

  /** What a listener's slot has for one direction. */
  of(slot: number, direction: 'fromClient' | 'fromBackend'): ByteTime {
    return new ByteTime(this.#cells, slot * DIRECTIONS + (direction === 'fromClient' ? 0 : 1));
  }

  /** The slot has another owner from now on. */
  clear(slot: number): void {
    this.#cells.fill(0n, slot * DIRECTIONS, (slot + 1) * DIRECTIONS);
  }
}

/** One cell. Milliseconds in and out. */
export class ByteTime {
  readonly #cells: BigInt64Array;
  readonly #index: number;

  constructor(cells: BigInt64Array, index: number) {
    this.#cells = cells;
    this.#index = index;
  }

  /** Until when time is taken. */
  get takenUntilMs(): number {
    return Number(Atomics.load(this.#cells, this.#index)) / NS_PER_MS;
  }

  /** Takes the next span; returns when it begins, perhaps in the past. */
  take(spanMs: number, nowMs: number): number {
    const earliest = nanoseconds(nowMs - BURST_MS);
    const span = nanoseconds(spanMs);
    for (;;) {
      const taken = Atomics.load(this.#cells, this.#index);
      const start = taken > earliest ? taken : earliest;
      if (Atomics.compareExchange(this.#cells, this.#index, taken, start + span) === taken)
        return Number(start) / NS_PER_MS;
    }
  }

  /** Gives back a part of what was taken and not used; those who come next begin earlier. */
  giveBack(spanMs: number): void {
    Atomics.sub(this.#cells, this.#index, nanoseconds(spanMs));
  }
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * NS_PER_MS));
}
