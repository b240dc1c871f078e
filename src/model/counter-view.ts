/**
 * What has been counted so far, as observers read it: `/metrics`, the dashboard, and programs that use the library.
 *
 * Place: composition fills it in from shared memory (shared-memory/counters), without asking any worker.
 * Invariant: a total never goes down, over reloads and deaths of workers, while its listener, upstream or backend is
 * configured. A backend that is removed and added again later begins at 0.
 */
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

/** The counters of one listener, upstream or backend, at one moment. */
export class Counts {
  readonly #cells: Float64Array;

  constructor(cells: Float64Array) {
    this.#cells = cells;
  }

  /** One series of a counter, in the order of its `series`. */
  of({ at }: Counter, series: number): number {
    return this.#cells[at + series] ?? 0;
  }

  /** Nothing was counted in any series of a counter. */
  isNone({ at, series }: Counter): boolean {
    const end = at + series.length;
    for (let cell = at; cell < end; cell++) if (this.#cells[cell] !== 0) return false;
    return true;
  }

  /** All series of a counter together. */
  total(counter: Counter): number {
    return counter.series.reduce((sum, _, series) => sum + this.of(counter, series), 0);
  }

  times(histogram: Histogram): Times {
    const { at, sumAt, range } = histogram;
    return new Times(histogram, this.#cells.subarray(at, at + bucketsOf(range)), this.#cells[sumAt] ?? 0);
  }
}

/** The times in a histogram, in seconds. */
export class Times {
  readonly sum: number;
  readonly #histogram: Histogram;
  readonly #buckets: Float64Array;

  constructor(histogram: Histogram, buckets: Float64Array, sum: number) {
    this.#histogram = histogram;
    this.#buckets = buckets;
    this.sum = sum;
  }

  get count(): number {
    let count = 0;
    for (let bucket = 0; bucket < this.#buckets.length; bucket++) count += this.#buckets[bucket] ?? 0;
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
      for (; bucket <= last; bucket++) count += this.#buckets[bucket] ?? 0;
      sums.push(count);
    }
    return sums;
  }

  /**
   * The buckets that are not empty, as [number, times]: number `i` has the times of more than 2^((i-1)/8) seconds and at
   * most 2^(i/8). The first bucket also has all shorter times, the last one all longer ones.
   */
  filled(): (readonly [bucket: number, times: number])[] {
    const filled: [number, number][] = [];
    for (let bucket = 0; bucket < this.#buckets.length; bucket++) {
      const times = this.#buckets[bucket] ?? 0;
      if (times > 0) filled.push([numberOf(this.#histogram.range, bucket), times]);
    }
    return filled;
  }

  /** The time that this part of all times do not exceed, at most 9 % too much; undefined where there is none. */
  quantile(part: number): number | undefined {
    const wanted = this.count * part;
    let count = 0;
    for (const [bucket, here] of this.#buckets.entries()) {
      count += here;
      if (here > 0 && count >= wanted) return boundOf(this.#histogram.range, bucket);
    }
    return undefined;
  }
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

/** In the order of `snapshot()`. */
export interface CounterView {
  readonly instance: Counts;
  readonly listeners: readonly ListenerCounts[];
  readonly upstreams: readonly UpstreamCounts[];
}
