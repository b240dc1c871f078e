/**
 * Which slot of shared memory belongs to what: a backend, a listener, an upstream's queue, the instance.
 *
 * Place: only in control; data planes see the numbers that it gives out. A slot is an index into every array of
 * `SharedState` that has a cell per slot.
 * Lifetime: `take` gives a key its slot. `free` gives the slot back once no thread counts in it: control calls it when
 * the key is forgotten, its live count is 0, and every data plane has applied a plan without it.
 * Invariants:
 * - A key has one slot from `take` to `free`, and two keys never share one.
 * - The slot that has been free longest is given out first, so that a late reader meets an empty slot rather than
 *   another owner's.
 * - Each time a slot is given out it has another tag, so that what was remembered under the old tag does not count for
 *   the new owner.
 */
import { Lb4Error } from '../errors.ts';

/** A slot, and a tag that distinguishes it from the same slot given out earlier or later. */
export interface Slot {
  readonly index: number;
  /** Index and generation in 31 bits, for tables that remember slots (stickiness does). */
  readonly tag: number;
}

/** Bits of a tag that hold the index; the rest hold the generation. */
const INDEX_BITS = 18;
const GENERATIONS = 2 ** (31 - INDEX_BITS);
/** The most slots that can have an owner at the same time. */
export const MAX_SLOTS = 2 ** INDEX_BITS;

export class SlotTable {
  readonly #capacity: number;
  readonly #slots = new Map<string, Slot>();
  /** Freed slots, oldest first, from `#firstFree` on. */
  #free: Slot[] = [];
  #firstFree = 0;
  #used = 0;
  #reserved = 0;

  constructor(capacity = MAX_SLOTS) {
    this.#capacity = capacity;
  }

  /** One more than the highest index that was ever given out: beyond it every cell is untouched. */
  get used(): number {
    return this.#used;
  }

  /** Keys that have a slot now. */
  get size(): number {
    return this.#slots.size;
  }

  /** The key's slot; gives it one where it has none. Throws LB4_TOO_MANY_SLOTS when there is none left. */
  take(key: string): Slot {
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    this.#expectRoom(1);
    const slot = this.#recycled() ?? this.#untouched();
    this.#slots.set(key, slot);
    return slot;
  }

  /** The key's slot, where it has one. */
  find(key: string): Slot | undefined {
    return this.#slots.get(key);
  }

  /** All keys that have a slot. */
  entries(): Iterable<readonly [key: string, slot: Slot]> {
    return this.#slots;
  }

  /**
   * Keeps `count` slots for keys to come: nobody can take them until the returned function is called, which is
   * idempotent. Throws LB4_TOO_MANY_SLOTS when there are not so many left.
   */
  reserve(count: number): () => void {
    this.#expectRoom(count);
    let kept = count;
    this.#reserved += kept;
    return () => {
      this.#reserved -= kept;
      kept = 0;
    };
  }

  /** Gives a key's slot back; without effect for a key that has none. */
  free(key: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#slots.delete(key);
    this.#free.push(slot);
  }

  /** A slot that had another owner, under a new tag. */
  #recycled(): Slot | undefined {
    const slot = this.#free[this.#firstFree];
    if (slot === undefined) return undefined;
    this.#firstFree += 1;
    if (this.#firstFree * 2 > this.#free.length) {
      this.#free = this.#free.slice(this.#firstFree);
      this.#firstFree = 0;
    }
    const generation = ((slot.tag >>> INDEX_BITS) + 1) % GENERATIONS;
    return { index: slot.index, tag: generation * MAX_SLOTS + slot.index };
  }

  #untouched(): Slot {
    const index = this.#used;
    this.#used += 1;
    return { index, tag: index };
  }

  #expectRoom(more: number): void {
    if (this.#slots.size + this.#reserved + more <= this.#capacity) return;
    throw new Lb4Error(
      'LB4_TOO_MANY_SLOTS',
      `no room for more than ${this.#capacity} backends, listeners and upstreams at the same time`,
    );
  }
}
