/**
 * What each worker publishes about itself in shared memory, so that `snapshot()` waits for no answer.
 *
 * Place: written by the worker on its beat (figures of slots, heartbeat) or as it happens (sessions), read by control.
 * Why doubles: what is counted per session passes 2^31 within days. A store of eight aligned bytes is one store on both
 * architectures, so that a reader in another thread sees the old number or the new one.
 * Invariants:
 * - Every cell has one writer: its worker, or control where the comment says so; control writes into a worker's cells
 *   only while that worker is dead.
 * - Sessions ever outlive a restart: session ids are made from them, and must not repeat.
 */
import { FIGURES, NO_FIGURES, type SlotFigures } from '../model/pool-figures.ts';

const HEADER = 6;
const BEATS = 0;
const SESSIONS_EVER = 1;
const SESSIONS_ABORTED = 2;
const SESSIONS_LOST = 3;
const EVENTS_TAKEN = 4;
const PLACES = 5;
/** In the order of `FIGURES`. */
const PER_SLOT = FIGURES.length;

/** One worker's cells. */
export class WorkerStats {
  readonly #cells: Float64Array;
  /** The slots whose figures are here; only the worker's own view has them. */
  #figured = new Set<number>();
  /** How often a freed place was reported, and how often control began to handle that. */
  readonly #places: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#cells = new Float64Array(buffer);
    this.#places = new Int32Array(buffer, 8 * PLACES, 2);
  }

  /** Memory for one worker over all slots of the live counts. Pages that no slot touches take no memory. */
  static allocate(slots: number): SharedArrayBuffer {
    return new SharedArrayBuffer(8 * (HEADER + slots * PER_SLOT));
  }

  get beats(): number {
    return this.#load(BEATS);
  }

  beat(): void {
    this.#store(BEATS, this.beats + 1);
  }

  get sessionsEver(): number {
    return this.#load(SESSIONS_EVER);
  }

  set sessionsEver(count: number) {
    this.#store(SESSIONS_EVER, count);
  }

  get sessionsAborted(): number {
    return this.#load(SESSIONS_ABORTED);
  }

  set sessionsAborted(count: number) {
    this.#store(SESSIONS_ABORTED, count);
  }

  /** Sessions that ran when a worker noticed that it was dying; 0 when it did not notice. */
  get sessionsLost(): number {
    return this.#load(SESSIONS_LOST);
  }

  set sessionsLost(count: number) {
    this.#store(SESSIONS_LOST, count);
  }

  /** How many events of the worker control has handled; written by control. */
  get eventsTaken(): number {
    return this.#load(EVENTS_TAKEN);
  }

  set eventsTaken(count: number) {
    this.#store(EVENTS_TAKEN, count);
  }

  /**
   * For the worker: false when control has not yet begun to handle the last report: it will see this place as well.
   * Atomics order this behind the freeing of the place, and control's search for places behind `hearPlaceFreed`.
   */
  tellPlaceFreed(): boolean {
    if (Atomics.load(this.#places, 0) !== Atomics.load(this.#places, 1)) return false;
    Atomics.add(this.#places, 0, 1);
    return true;
  }

  /** For control, before it searches for places; also when a worker has died, because its messages may be lost. */
  hearPlaceFreed(): void {
    Atomics.store(this.#places, 1, Atomics.load(this.#places, 0));
  }

  /** Reads the figures of a slot, those of all these workers together. */
  static figuresOf(all: readonly WorkerStats[]): (slot: number) => SlotFigures {
    return slot => {
      const sums: Record<keyof SlotFigures, number> = { ...NO_FIGURES };
      let cell = HEADER + slot * PER_SLOT;
      for (const figure of FIGURES) {
        let sum = 0;
        for (const stats of all) sum += stats.#load(cell);
        sums[figure] = sum;
        cell += 1;
      }
      return sums;
    };
  }

  /** Writes the figures of every slot that has some; those of one that has none any more become 0. */
  setFigures(all: Iterable<{ readonly slot: number; readonly figures: () => SlotFigures }>): void {
    const figured = new Set<number>();
    for (const { slot, figures } of all) {
      figured.add(slot);
      this.#set(slot, figures());
    }
    for (const slot of this.#figured) if (!figured.has(slot)) this.#set(slot, NO_FIGURES);
    this.#figured = figured;
  }

  /** The worker is dead, and so are its pools; only its own next view may write here. */
  clearFigures(usedSlots: number): void {
    this.#cells.fill(0, HEADER, HEADER + usedSlots * PER_SLOT);
  }

  #set(slot: number, figures: SlotFigures): void {
    let cell = HEADER + slot * PER_SLOT;
    for (const figure of FIGURES) this.#store(cell++, figures[figure]);
  }

  #load(cell: number): number {
    return this.#cells[cell] ?? 0;
  }

  #store(cell: number, value: number): void {
    this.#cells[cell] = value;
  }
}
