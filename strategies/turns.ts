/**
 * Where `roundrobin` keeps its turns: numbers in one array, so that threads can take turns together.
 *
 * Place: round-robin.ts reads and writes them. `LocalTurns` is for one thread; a program that balances in several
 * threads passes turns in memory that these share, with a lock (`StrategyDeps.turns`).
 * Invariants: zeros are a beginning; whatever the array contains, no reader runs for ever or reads outside it.
 */
import { numberAt } from './at.ts';
import type { Candidate } from './strategy.ts';

export interface Turns {
  /** `HEAD_NUMBERS` about all candidates together; zeros at first. */
  readonly head: Float64Array;
  /** Numbers about each candidate, one array a kind; zeros at first. */
  readonly records: TurnRecords;
  /**
   * Where the numbers of a candidate are: the same in all threads, for as long as the candidate is known.
   * @param index of the candidate among those that the strategy is built over
   */
  placeOf(candidate: Candidate, index: number): number;
  /** Until `leave`, no other thread is between `enter` and `leave`. */
  enter(): void;
  leave(): void;
}

/** Numbers of the head. `NOW`: picks so far. `START`: 1 + the part of the ring that comes first, in [0, 1). */
export const NOW = 0;
export const START = 1;
export const HEAD_NUMBERS = 2;

/**
 * The present turn of each candidate. It begins, for an even flow, at `base + fraction + count · total / weight`, where
 * `base` is an integer and `fraction` in [0, 1). It may be taken from `release` on and must be by `deadline`; these two
 * keep every candidate within `bound / total` turns of its share.
 */
const TURN_NUMBERS = [
  ...(['base', 'fraction', 'count', 'weight', 'total', 'bound', 'release', 'deadline'] as const),
];
export type TurnRecords = Readonly<Record<(typeof TURN_NUMBERS)[number], Float64Array>>;

/** Bytes that the records of `size` candidates take. */
export function turnBytes(size: number): number {
  return TURN_NUMBERS.length * size * Float64Array.BYTES_PER_ELEMENT;
}

/** The records in memory of `turnBytes`, one array after the other. */
export function turnRecords(buffer: ArrayBufferLike): TurnRecords {
  const size = buffer.byteLength / turnBytes(1);
  const part = (name: keyof TurnRecords): Float64Array =>
    new Float64Array(buffer, TURN_NUMBERS.indexOf(name) * size * Float64Array.BYTES_PER_ELEMENT, size);
  return {
    base: part('base'),
    fraction: part('fraction'),
    count: part('count'),
    weight: part('weight'),
    total: part('total'),
    bound: part('bound'),
    release: part('release'),
    deadline: part('deadline'),
  };
}

/** The turns of one thread; a candidate that is there again goes on with its turns. */
export class LocalTurns implements Turns {
  readonly head: Float64Array;
  readonly records: TurnRecords;
  readonly #places = new Map<string, number>();

  constructor(candidates: readonly Candidate[], before?: LocalTurns) {
    this.head = before === undefined ? new Float64Array(HEAD_NUMBERS) : before.head;
    this.records = turnRecords(new ArrayBuffer(turnBytes(candidates.length)));
    candidates.forEach((candidate, index) => {
      const place = this.placeOf(candidate, index);
      this.#places.set(candidate.id, place);
      const old = before === undefined ? undefined : before.#places.get(candidate.id);
      if (before === undefined || old === undefined) return;
      for (const name of TURN_NUMBERS) this.records[name][place] = numberAt(before.records[name], old);
    });
  }

  placeOf(_candidate: Candidate, index: number): number {
    return index;
  }

  enter(): void {
    // There is no other thread.
  }

  leave(): void {
    // Likewise.
  }
}
