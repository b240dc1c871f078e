/**
 * The order of one upstream's queue over all threads that balance: which waiter is first.
 *
 * Place: each data plane keeps its own waiters (dispatch/queue.ts). This memory holds what the other data planes must
 * know of them: a counter of tickets and, per worker, its head, which is the ticket of its oldest waiter. For people,
 * there is also the longest wait. The live counts have the number of waiters.
 * Invariants:
 * - All is changed with Atomics.
 * - A worker writes no head but its own, until it is dead.
 * - A head is never younger than the oldest waiter behind it: a first waiter is announced before it draws its ticket.
 * - Tickets wrap around. They are compared by their difference, and 0 is never one.
 */

/** Can be posted. */
export interface QueueMemory {
  readonly buffer: SharedArrayBuffer;
  readonly workers: number;
}

const NOBODY = 0;
const LAST_TICKET = 0;
const LONGEST_WAIT = 1;
const FIRST_HEAD = 2;
const BYTES = Int32Array.BYTES_PER_ELEMENT;

export class QueueOrder {
  readonly memory: QueueMemory;
  /** The last ticket that was drawn, the longest wait, then one head per worker. */
  readonly #words: Int32Array;
  readonly #worker: number;

  /** @param worker whose view it is, numbered from 0 */
  constructor(memory: QueueMemory, worker = 0) {
    this.memory = memory;
    this.#words = new Int32Array(memory.buffer);
    this.#worker = worker;
  }

  /** Memory for the waiters of `workers` threads. */
  static allocate(workers: number): QueueMemory {
    return { buffer: new SharedArrayBuffer(BYTES * (FIRST_HEAD + workers)), workers };
  }

  /**
   * Announces that the only waiter of this worker is about to draw. Until its ticket is known it counts as the oldest
   * that it can be, so that no waiter that draws later passes it. `draw` and `setHead` must follow.
   */
  announce(): void {
    const next = (Atomics.load(this.#words, LAST_TICKET) + 1) | 0;
    Atomics.store(this.#words, headOf(this.#worker), next === NOBODY ? 1 : next);
  }

  /** The next ticket. */
  draw(): number {
    for (;;) {
      const ticket = (Atomics.add(this.#words, LAST_TICKET, 1) + 1) | 0;
      if (ticket !== NOBODY) return ticket;
    }
  }

  /**
   * Sets the ticket of this worker's oldest waiter; 0: there is none. True when another worker's waiter is first now
   * and that worker may not know it: then it must be woken.
   */
  setHead(ticket: number): boolean {
    const own = headOf(this.#worker);
    const before = Atomics.exchange(this.#words, own, ticket);
    if (before === NOBODY || before === ticket) return false;
    const first = this.first();
    if (first === undefined || first === this.#worker) return false;
    return !isOlder(Atomics.load(this.#words, headOf(first)), before);
  }

  /** The ticket that others see of this worker; 0: none. */
  head(): number {
    return Atomics.load(this.#words, headOf(this.#worker));
  }

  /** Whether this worker's oldest waiter is the oldest of all. */
  isFirst(): boolean {
    const own = this.head();
    if (own === NOBODY) return false;
    for (let worker = 0; worker < this.memory.workers; worker++) {
      const other = Atomics.load(this.#words, headOf(worker));
      if (other !== NOBODY && isOlder(other, own)) return false;
    }
    return true;
  }

  /** The worker whose waiter has waited longest. */
  first(): number | undefined {
    let first: number | undefined;
    let oldest = NOBODY;
    for (let worker = 0; worker < this.memory.workers; worker++) {
      const ticket = Atomics.load(this.#words, headOf(worker));
      if (ticket === NOBODY || (first !== undefined && !isOlder(ticket, oldest))) continue;
      first = worker;
      oldest = ticket;
    }
    return first;
  }

  /** Records that a waiter has left after this time. */
  noteWait(ms: number): void {
    const rounded = Math.round(ms);
    for (;;) {
      const longest = this.longestWaitMs;
      if (rounded <= longest) return;
      if (Atomics.compareExchange(this.#words, LONGEST_WAIT, longest, rounded) === longest) return;
    }
  }

  /** The longest wait of those that have left since `forgetWaits`. */
  get longestWaitMs(): number {
    return Atomics.load(this.#words, LONGEST_WAIT);
  }

  forgetWaits(): void {
    Atomics.store(this.#words, LONGEST_WAIT, 0);
  }

  isEmpty(): boolean {
    return this.first() === undefined;
  }

  /**
   * Removes the head of a worker that is dead, or that stands still and must not hold up the others. In the second case
   * the head comes back when the worker looks (`Queue.recheck`). The other workers must be woken. Control only.
   */
  forget(worker: number): void {
    Atomics.store(this.#words, headOf(worker), NOBODY);
  }
}

function headOf(worker: number): number {
  return FIRST_HEAD + worker;
}

function isOlder(ticket: number, than: number): boolean {
  return ((ticket - than) | 0) < 0;
}
