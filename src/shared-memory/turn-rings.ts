/**
 * Memory in which threads take turns together: numbers about each backend, and about each ring of backends.
 *
 * Place: `dispatch/shared-turns.ts` defines what the numbers mean. `TurnNumbers` has the slots of the live counts, a
 * `TurnRing` belongs to an upstream.
 * Invariants:
 * - Numbers change only between `enter` and `leave` of their ring, where one thread is at a time.
 * - A thread that does not get in within 50 ms goes on all the same. Two may take the same turn then: no harm is done.
 * - A thread that died in between holds up no other thread (`forget`).
 */
import { SpinLock } from './spin-lock.ts';

/** Numbers that a backend and a ring need; strategies/turns.ts has the same values. */
export const NUMBERS_PER_BACKEND = 8;
export const NUMBERS_PER_RING = 2;

/** Numbers of all slots: one run of `slots` numbers for each kind. */
export class TurnNumbers {
  readonly memory: SharedArrayBuffer;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
  }

  /** Pages that no slot touches take no memory. */
  static allocate(slots: number): SharedArrayBuffer {
    return new SharedArrayBuffer(slots * NUMBERS_PER_BACKEND * Float64Array.BYTES_PER_ELEMENT);
  }

  /** Clears the numbers of a slot. Control only. */
  clear(slot: number): void {
    const numbers = new Float64Array(this.memory);
    const slots = numbers.length / NUMBERS_PER_BACKEND;
    for (let kind = 0; kind < NUMBERS_PER_BACKEND; kind++) numbers[kind * slots + slot] = 0;
  }
}

/** Can be posted. */
export interface TurnRingMemory {
  readonly head: SharedArrayBuffer;
  readonly lock: SharedArrayBuffer;
}

export class TurnRing {
  readonly memory: TurnRingMemory;
  readonly head: Float64Array;
  readonly #lock: SpinLock;
  #isInside = false;

  /** @param worker whose view it is, numbered from 0 */
  constructor(memory: TurnRingMemory, worker = 0) {
    this.memory = memory;
    this.head = new Float64Array(memory.head);
    this.#lock = new SpinLock(new Int32Array(memory.lock), 0, tagOf(worker));
  }

  static allocate(): TurnRingMemory {
    return {
      head: new SharedArrayBuffer(NUMBERS_PER_RING * Float64Array.BYTES_PER_ELEMENT),
      lock: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
    };
  }

  enter(): void {
    this.#isInside = this.#lock.acquire();
  }

  leave(): void {
    // Without the lock this thread must not release it: another one holds it.
    if (this.#isInside) this.#lock.release();
  }

  /** Releases a dead worker's lock. Control only, and only once the thread is gone. */
  forget(worker: number): void {
    if (this.#lock.takeFrom(tagOf(worker))) this.#lock.release();
  }
}

/** The tag of a worker that holds the lock; 0 would mean that the lock is free. */
function tagOf(worker: number): number {
  return worker + 1;
}
