/**
 * What other instances hold, for the pickers of all threads; and what this one places, for the others.
 *
 * Place: the mirror writes what it hears, pickers read it at their next pick; pickers count what they place, the
 * mirror reads that. Backends have the slots of the live counts, upstreams the order of the configuration.
 * Invariants: changed with Atomics only; `version` of an upstream changes after its counts do. A reader between the
 * two may see some new and some old counts: they are estimates either way, and it is told right afterwards.
 * What was heard is bounded before it is stored: no number from outside wraps around in 32 bits.
 */
import { boundedCount, MOST_SESSIONS_ELSEWHERE } from '../support/bounded-count.ts';

export interface ElsewhereMemory {
  readonly buffer: SharedArrayBuffer;
  readonly slots: number;
  readonly upstreams: number;
}

/** Fractions of a session, as whole numbers. */
const PER_SESSION = 1000;
const MOST_UNSEEN = 2_000_000;

export class ElsewhereCounts {
  readonly memory: ElsewhereMemory;
  readonly #counts: Int32Array;
  readonly #versions: Int32Array;
  readonly #unseen: Int32Array;
  readonly #placed: Int32Array;

  constructor(slots: number, upstreams: number, memory?: ElsewhereMemory) {
    this.memory = memory ?? {
      buffer: new SharedArrayBuffer(4 * (slots + 3 * upstreams)),
      slots,
      upstreams,
    };
    const { buffer, slots: backends, upstreams: groups } = this.memory;
    const part = (index: number): Int32Array =>
      new Int32Array(buffer, 4 * (backends + index * groups), groups);
    this.#counts = new Int32Array(buffer, 0, backends);
    this.#versions = part(0);
    this.#unseen = part(1);
    this.#placed = part(2);
  }

  /** Another view of the same memory. */
  static over(memory: ElsewhereMemory): ElsewhereCounts {
    return new ElsewhereCounts(0, 0, memory);
  }

  /** Sessions of other instances on a backend, as last heard. */
  count(slot: number): number {
    return Atomics.load(this.#counts, slot);
  }

  /** Changes whenever something was heard of the upstream; 0 before. */
  version(upstream: number): number {
    return Atomics.load(this.#versions, upstream);
  }

  /** How many sessions the others have placed, or will have, that `count` does not know of. */
  unseen(upstream: number): number {
    return Atomics.load(this.#unseen, upstream) / PER_SESSION;
  }

  /** Sets what is known of an upstream's backends: those of `slots`, 0 where `counts` has none. Control only. */
  hear(
    upstream: number,
    slots: ReadonlyMap<string, number>,
    counts: ReadonlyMap<string, number>,
    unseen: number,
  ): void {
    for (const [backend, slot] of slots) {
      Atomics.store(this.#counts, slot, boundedCount(counts.get(backend) ?? 0, MOST_SESSIONS_ELSEWHERE));
    }
    Atomics.store(this.#unseen, upstream, boundedCount(unseen * PER_SESSION, MOST_UNSEEN * PER_SESSION));
    Atomics.add(this.#versions, upstream, 1);
  }

  /** A session was placed in this instance. */
  notePlaced(upstream: number): void {
    Atomics.add(this.#placed, upstream, 1);
  }

  /** Sessions this instance has placed: a 32-bit counter that wraps around; only differences mean something. */
  placed(upstream: number): number {
    return Atomics.load(this.#placed, upstream);
  }
}
