/**
 * What has been counted so far, as observers read it: `/metrics`, the dashboard, and programs that use the library.
 *
 * Place: composition fills it in from shared memory (shared-memory/counters), without asking any worker.
 * Invariant: a total never goes down, over reloads and deaths of workers, while its listener, upstream or backend is
 * configured. A backend that is removed and added again later begins at 0.
 */
import { ROW_CELLS } from '../shared-memory/counters/counters.ts';
import { boundOf, bucketsOf, bucketUpTo, numberOf } from '../shared-memory/counters/histogram.ts';
import {
  BACKEND,
  INSTANCE,
  LISTENER,
  UPSTREAM,
  type Counter,
  type Histogram,
} from '../shared-memory/counters/layout.ts';

export { BACKEND, INSTANCE, LISTENER, UPSTREAM };
export type { Counter, Histogram };

/** What there is to be read, for `Counts.of`, `total` and `times`. */
export const COUNTERS = {
  instance: INSTANCE,
  listener: LISTENER,
  upstream: UPSTREAM,
  backend: BACKEND,
} as const;

/**
 * The counters of one listener, upstream or backend: at the moment when they were copied, or, of live ones, at each look.
 */
export class Counts {
  readonly #cells: Float64Array;
  readonly #at: number;
  readonly #rows: number;

  constructor(cells: Float64Array, at = 0, rows = 1) {
    this.#cells = cells;
    this.#at = at;
    this.#rows = rows;
  }

  /** One series of a counter, in the order of its `series`. */
  of({ at }: Counter, series: number): number {
    return this.#sum(at + series);
  }

  /** Nothing was counted in any series of a counter. */
  isNone({ at, series }: Counter): boolean {
    const end = at + series.length;
    for (let cell = at; cell < end; cell++) if (this.#sum(cell) !== 0) return false;
    return true;
  }

  /** All series of a counter together. */
  total({ at, series }: Counter): number {
    let total = 0;
    for (let i = 0; i < series.length; i++) total += this.#sum(at + i);
    return total;
  }

  times(histogram: Histogram): Times {
    return new Times(histogram, this.#cells, this.#at, this.#rows);
  }

  #sum(cell: number): number {
    return sumOfRows(this.#cells, this.#at + cell, this.#rows);
  }
}

/** The times in a histogram, in seconds. */
export class Times {
  readonly sum: number;
  readonly #histogram: Histogram;
  readonly #cells: Float64Array;
  /** The first bucket. */
  readonly #at: number;
  readonly #rows: number;

  /** @internal */
  constructor(histogram: Histogram, cells: Float64Array, at: number, rows: number) {
    this.#histogram = histogram;
    this.#cells = cells;
    this.#at = at + histogram.at;
    this.#rows = rows;
    this.sum = sumOfRows(cells, at + histogram.sumAt, rows);
  }

  get count(): number {
    const end = this.#at + bucketsOf(this.#histogram.range);
    let count = 0;
    for (let at = this.#at; at < end; at++) count += sumOfRows(this.#cells, at, this.#rows);
    return count;
  }

  /** How many are at most 2^power seconds, for each power that the histogram shows; `count` are in all. */
  cumulative(): readonly number[] {
    const { range, shown } = this.#histogram;
    const sums: number[] = [];
    let bucket = 0;
    let count = 0;
    for (const power of shown) {
      const last = bucketUpTo(range, power);
      for (; bucket <= last; bucket++) count += this.#timesOf(bucket);
      sums.push(count);
    }
    return sums;
  }

  /**
   * The buckets that are not empty, as [number, times]: number `i` has the times of more than 2^((i-1)/8) seconds and at
   * most 2^(i/8). The first bucket also has all shorter times, the last one all longer ones.
   */
  filled(): (readonly [bucket: number, times: number])[] {
    const { range } = this.#histogram;
    const filled: [number, number][] = [];
    for (let bucket = 0; bucket < bucketsOf(range); bucket++) {
      const times = this.#timesOf(bucket);
      if (times > 0) filled.push([numberOf(range, bucket), times]);
    }
    return filled;
  }

  /** The time that this part of all times do not exceed, at most 9 % too much; undefined where there is none. */
  quantile(part: number): number | undefined {
    const { range } = this.#histogram;
    const wanted = this.count * part;
    let count = 0;
    for (let bucket = 0; bucket < bucketsOf(range); bucket++) {
      const here = this.#timesOf(bucket);
      count += here;
      if (here > 0 && count >= wanted) return boundOf(range, bucket);
    }
    return undefined;
  }

  #timesOf(bucket: number): number {
    return sumOfRows(this.#cells, this.#at + bucket, this.#rows);
  }
}

/** Typed-array reads inside the array's bounds are never undefined. */
function sumOfRows(cells: Float64Array, at: number, rows: number): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += cells[at + row * ROW_CELLS] ?? 0;
  return sum;
}

export interface ListenerCounts {
  readonly name: string;
  readonly counts: Counts;
}

export interface BackendCounts {
  /** Its configured address. */
  readonly backend: string;
  readonly counts: Counts;
}

export interface UpstreamCounts {
  readonly name: string;
  readonly counts: Counts;
  /** In the order of the snapshot's backends. */
  readonly backends: readonly BackendCounts[];
}

/**
 * `copied`: all of it is of one moment, however late it is read. `live`: it shows what has been counted by the time it
 * is read, costs nothing for what is not read, and is to be read within the step.
 */
export type CountsKind = 'copied' | 'live';

/** In the order of `snapshot()`. */
export interface CounterView {
  readonly instance: Counts;
  readonly listeners: readonly ListenerCounts[];
  readonly upstreams: readonly UpstreamCounts[];
}
