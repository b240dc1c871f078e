/**
 * Failures in a row of each backend, and the one trial that an ejected backend gets: exact over all threads.
 *
 * Place: data planes count the failures that their sessions meet; control ejects, and offers the trial. Slots are those
 * of the live counts.
 * Why in shared memory: a success must undo the failures that other workers have seen, and a message per success
 * would cost more than the session.
 * Invariants:
 * - All is changed with Atomics.
 * - A count of failures stops at `MOST` and never wraps around.
 * - One session of one worker at a time takes an offered trial.
 * - The trial of a dead worker is on offer again.
 */

/** What has failed: a connect, or a session that ended at once without a byte from the backend. */
export type FailureKind = 'connect' | 'earlyClose';

export interface FailuresMemory {
  readonly buffer: SharedArrayBuffer;
  readonly slots: number;
}

/** Far above any threshold, and far enough below 2^31 that threads which pass it together do not wrap around. */
const MOST = 2 ** 30;
const NO_TRIAL = 0;
const ON_OFFER = 1;
/** `TAKEN + worker`: that worker's session tries the backend. */
const TAKEN = 2;

export class BackendFailures {
  readonly memory: FailuresMemory;
  readonly #connects: Int32Array;
  readonly #earlyCloses: Int32Array;
  readonly #trials: Int32Array;
  readonly #worker: number;

  /** @param worker whose view it is, numbered from 0 */
  constructor(memory: FailuresMemory, worker = 0) {
    const { buffer, slots } = memory;
    this.memory = memory;
    this.#connects = new Int32Array(buffer, 0, slots);
    this.#earlyCloses = new Int32Array(buffer, 4 * slots, slots);
    this.#trials = new Int32Array(buffer, 8 * slots, slots);
    this.#worker = worker;
  }

  /** Pages that no slot touches take no memory. */
  static allocate(slots: number): FailuresMemory {
    return { buffer: new SharedArrayBuffer(4 * slots * 3), slots };
  }

  /** Counts one failure more; returns the number in a row. */
  failed(slot: number, kind: FailureKind): number {
    const row = this.#row(kind);
    const before = Atomics.load(row, slot);
    return before < MOST ? Atomics.add(row, slot, 1) + 1 : before;
  }

  succeeded(slot: number, kind: FailureKind): void {
    const row = this.#row(kind);
    // A load is cheaper than a store, of which every other core must learn.
    if (Atomics.load(row, slot) !== 0) Atomics.store(row, slot, 0);
  }

  inARow(slot: number, kind: FailureKind): number {
    return Atomics.load(this.#row(kind), slot);
  }

  /** Forgets all failures. Control only. */
  clear(slot: number): void {
    Atomics.store(this.#connects, slot, 0);
    Atomics.store(this.#earlyCloses, slot, 0);
  }

  /** One session may try the backend. Control only. */
  offerTrial(slot: number): void {
    Atomics.store(this.#trials, slot, ON_OFFER);
  }

  /** No further session may try the backend; one that tries it already goes on. Control only. */
  withdrawTrial(slot: number): void {
    Atomics.store(this.#trials, slot, NO_TRIAL);
  }

  isTrialOnOffer(slot: number): boolean {
    return Atomics.load(this.#trials, slot) === ON_OFFER;
  }

  /** True for the one session that may try the backend. */
  takeTrial(slot: number): boolean {
    return Atomics.compareExchange(this.#trials, slot, ON_OFFER, TAKEN + this.#worker) === ON_OFFER;
  }

  /** The session that took the trial has gone without a result: another one may try. */
  returnTrial(slot: number): void {
    Atomics.compareExchange(this.#trials, slot, TAKEN + this.#worker, ON_OFFER);
  }

  /** Puts a dead worker's trials on the first `used` slots on offer again. Control only. */
  forget(worker: number, used: number): void {
    for (let slot = 0; slot < used; slot++) {
      Atomics.compareExchange(this.#trials, slot, TAKEN + worker, ON_OFFER);
    }
  }

  #row(kind: FailureKind): Int32Array {
    return kind === 'connect' ? this.#connects : this.#earlyCloses;
  }
}
