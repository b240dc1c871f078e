/**
 * What other instances hold, for the pickers of all threads; and what this one places, for the others.
 *
 * Place: the mirror writes what it hears, pickers read it at their next pick; pickers count what they place, the
 * mirror reads that. `ElsewhereCounts` has a cell per slot of the live counts, `ElsewhereNews` belongs to an upstream.
 * Invariants: changed with Atomics only; an upstream's `version` changes after its counts do. A reader between the
 * two may see some new and some old counts: they are estimates either way, and it sees the version right afterwards.
 */
import { boundedCount, MOST_SESSIONS_ELSEWHERE } from '../support/bounded-count.ts';

/** Fractions of a session, as whole numbers. */
const PER_SESSION = 1000;
const MOST_UNSEEN = 2_000_000;

/** Sessions of other instances per backend, as last heard. */
export class ElsewhereCounts {
  readonly memory: SharedArrayBuffer;
  readonly #counts: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#counts = new Int32Array(memory);
  }

  /** Pages that no slot touches take no memory. */
  static allocate(slots: number): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * slots);
  }

  count(slot: number): number {
    return Atomics.load(this.#counts, slot);
  }

  /** Control only. */
  set(slot: number, sessions: number): void {
    Atomics.store(this.#counts, slot, boundedCount(sessions, MOST_SESSIONS_ELSEWHERE));
  }
}

const VERSION = 0;
const UNSEEN = 1;
const PLACED = 2;
const CELLS = 3;

/** What one upstream hears of other instances, and how much it has placed itself. */
export class ElsewhereNews {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4 * CELLS)) {
    this.memory = memory;
    this.#cells = new Int32Array(memory);
  }

  /** Changes whenever something was heard; 0 before. */
  get version(): number {
    return Atomics.load(this.#cells, VERSION);
  }

  /** How many sessions the others have placed, or will have, that the counts do not include. */
  get unseen(): number {
    return Atomics.load(this.#cells, UNSEEN) / PER_SESSION;
  }

  /** Sessions this instance has placed: a 32-bit counter that wraps around; only differences mean something. */
  get placed(): number {
    return Atomics.load(this.#cells, PLACED);
  }

  /** A session was placed in this instance. */
  notePlaced(): void {
    Atomics.add(this.#cells, PLACED, 1);
  }

  /** The counts are new. Control only, after it has set them. */
  hear(unseen: number): void {
    Atomics.store(this.#cells, UNSEEN, boundedCount(unseen * PER_SESSION, MOST_UNSEEN * PER_SESSION));
    Atomics.add(this.#cells, VERSION, 1);
  }
}
