/**
 * Live sessions per backend: one Int32 each in shared memory.
 *
 * Place: control gives every backend a slot; the data plane's leases count in it. Changed with Atomics only,
 * so that several data planes in threads of their own can share one memory and stay exact.
 * Invariants: a slot belongs to one backend of one upstream for the life of the process; a count is never
 * negative (a lease releases exactly once).
 */
const MIN_SLOTS = 1024;

export class LiveCounts {
  readonly #counts: Int32Array;
  readonly #slots = new Map<string, number>();

  /** `backends` is how many are known at the start; there is room for as many again. */
  constructor(backends: number) {
    this.#counts = new Int32Array(new SharedArrayBuffer(4 * Math.max(MIN_SLOTS, 2 * backends)));
  }

  /** The slot of a backend; the same upstream and backend always get the same slot. */
  slotOf(upstream: string, backend: string): number {
    const key = `${upstream}\n${backend}`;
    const slot = this.#slots.get(key) ?? this.#slots.size;
    if (slot >= this.#counts.length)
      throw new RangeError(`no room for more than ${this.#counts.length} backends`);
    this.#slots.set(key, slot);
    return slot;
  }

  live(slot: number): number {
    return Atomics.load(this.#counts, slot);
  }

  /** Counts one session more, unless that would be more than `max`. */
  take(slot: number, max: number | undefined): boolean {
    const before = Atomics.add(this.#counts, slot, 1);
    if (max === undefined || before < max) return true;
    Atomics.sub(this.#counts, slot, 1);
    return false;
  }

  release(slot: number): void {
    Atomics.sub(this.#counts, slot, 1);
  }
}
