/**
 * Who is first among the sessions that wait for an upstream, over all threads that balance.
 *
 * Place: each data plane keeps its own waiting sessions (dispatch/waiting-line.ts); here stands what the others
 * must know of them: per upstream a counter of tickets and, per worker, the ticket of its oldest waiting session.
 * How many wait is counted in the live counts.
 * Invariants: changed with Atomics only; a worker writes no head but its own, until it is dead; a head is never
 * younger than the oldest session behind it, which is why a first session is announced before its ticket is drawn.
 * Tickets wrap around: they are compared by their difference, and 0 is never one.
 */

/** Can be posted. */
export interface QueueMemory {
  readonly buffer: SharedArrayBuffer;
  readonly queues: number;
  readonly workers: number;
}

const NOBODY = 0;
const BYTES = Int32Array.BYTES_PER_ELEMENT;

export class QueueOrder {
  readonly memory: QueueMemory;
  /** Per queue: the last ticket that was drawn, then one head per worker. */
  readonly #words: Int32Array;
  readonly #row: number;
  readonly #worker: number;

  /**
   * @param queues how many there are, numbered from 0
   * @param worker whose view it is, numbered from 0
   */
  constructor(queues: number, workers: number, memory?: QueueMemory, worker = 0) {
    this.memory = memory ?? {
      buffer: new SharedArrayBuffer(BYTES * queues * (1 + workers)),
      queues,
      workers,
    };
    this.#words = new Int32Array(this.memory.buffer);
    this.#row = 1 + this.memory.workers;
    this.#worker = worker;
  }

  static forWorker(memory: QueueMemory, worker: number): QueueOrder {
    return new QueueOrder(memory.queues, memory.workers, memory, worker);
  }

  /**
   * Says that a session of this worker, the only one that waits here, is about to draw: until its ticket is known
   * it stands as old as it could be, so that nobody who draws later passes it. To be followed by `draw` and `setHead`.
   */
  announce(queue: number): void {
    const next = (Atomics.load(this.#words, queue * this.#row) + 1) | 0;
    Atomics.store(this.#words, this.#headOf(queue, this.#worker), next === NOBODY ? 1 : next);
  }

  /** The next ticket. */
  draw(queue: number): number {
    for (;;) {
      const ticket = (Atomics.add(this.#words, queue * this.#row, 1) + 1) | 0;
      if (ticket !== NOBODY) return ticket;
    }
  }

  /**
   * Says which ticket this worker's oldest waiting session has; 0: none waits. True when another worker's session is
   * first now and may not know it: then that worker has to be told.
   */
  setHead(queue: number, ticket: number): boolean {
    const own = this.#headOf(queue, this.#worker);
    const before = Atomics.exchange(this.#words, own, ticket);
    if (before === NOBODY || before === ticket) return false;
    const first = this.first(queue);
    if (first === undefined || first === this.#worker) return false;
    return !isOlder(Atomics.load(this.#words, this.#headOf(queue, first)), before);
  }

  /** The ticket that others see of this worker; 0: none. */
  head(queue: number): number {
    return Atomics.load(this.#words, this.#headOf(queue, this.#worker));
  }

  /** Is this worker's oldest session the oldest of all? */
  isFirst(queue: number): boolean {
    const own = this.head(queue);
    if (own === NOBODY) return false;
    for (let worker = 0; worker < this.memory.workers; worker++) {
      const other = Atomics.load(this.#words, this.#headOf(queue, worker));
      if (other !== NOBODY && isOlder(other, own)) return false;
    }
    return true;
  }

  /** The worker whose session has waited longest. */
  first(queue: number): number | undefined {
    let first: number | undefined;
    let oldest = NOBODY;
    for (let worker = 0; worker < this.memory.workers; worker++) {
      const ticket = Atomics.load(this.#words, this.#headOf(queue, worker));
      if (ticket === NOBODY || (first !== undefined && !isOlder(ticket, oldest))) continue;
      first = worker;
      oldest = ticket;
    }
    return first;
  }

  isEmpty(queue: number): boolean {
    return this.first(queue) === undefined;
  }

  /**
   * Nobody waits at that worker any more: it is dead, or it stands still and must not hold up the others; it takes
   * its place again when it looks (`WaitingLine.recheck`). Whoever waits has to be told. Control only.
   */
  forget(worker: number): void {
    for (let queue = 0; queue < this.memory.queues; queue++) {
      Atomics.store(this.#words, this.#headOf(queue, worker), NOBODY);
    }
  }

  #headOf(queue: number, worker: number): number {
    return queue * this.#row + 1 + worker;
  }
}

function isOlder(ticket: number, than: number): boolean {
  return ((ticket - than) | 0) < 0;
}
