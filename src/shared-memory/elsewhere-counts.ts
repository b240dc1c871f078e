/**
 * Sessions of other instances, for the pickers of all threads; and the number that this one places, for the others.
 *
 * Place: the mirror writes the counts it receives, and pickers read them at their next pick. Pickers count the sessions
 * they place, and the mirror reads that. `ElsewhereCounts` has a cell per slot of the live counts, `ElsewhereNews`
 * belongs to an upstream.
 * Invariants:
 * - All is changed with Atomics.
 * - An upstream's `version` changes after its counts do. A reader between the two may see some new and some old counts:
 *   they are estimates either way, and it sees the version right afterwards.
 */
import { boundedCount, MOST_SESSIONS_ELSEWHERE } from '../support/bounded-count.ts';

/** Fractions of a session are kept as whole numbers: thousandths. */
const PER_SESSION = 1000;
const MOST_UNSEEN = 2_000_000;

/** Sessions of other instances per backend, as last received. */
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

/** News of one upstream from other instances, and the number of sessions placed here. */
export class ElsewhereNews {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4 * CELLS)) {
    this.memory = memory;
    this.#cells = new Int32Array(memory);
  }

  /** Changes each time counts are received; 0 before the first time. */
  get version(): number {
    return Atomics.load(this.#cells, VERSION);
  }

  /** Number of sessions that the others have placed, or are about to, and that the counts do not include. */
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

  /** Announces new counts. Control only, after it has set them. */
  hear(unseen: number): void {
    Atomics.store(this.#cells, UNSEEN, boundedCount(unseen * PER_SESSION, MOST_UNSEEN * PER_SESSION));
    Atomics.add(this.#cells, VERSION, 1);
  }
}
