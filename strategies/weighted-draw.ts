/**
 * Drawing candidates at random in proportion to their weights, without replacement and past skipped ones.
 *
 * Place: shared by `random`, `p2c`, `ewma` and, for clients without an address, `iphash`.
 * Method: one point on the line of cumulative weights, found by binary search (by division when all weights
 * are equal). To leave a candidate out, its stretch of the line is closed up: no rejection loop, no bias.
 * Invariant: every draw is exactly proportional to weight among the candidates that are neither left out nor skipped.
 * When the first draw meets a skipped candidate, a second one is made over the open candidates only, O(n); the
 * mixture of the two has the same proportions, because each of them has.
 */
import { at } from './at.ts';
import type { Candidate, PickContext } from './strategy.ts';

type Skip = PickContext['skip'];

const NONE = -1;

/** Immutable but for the randomness it consumes; every weight must be at least 1. */
export class WeightedDraw {
  readonly #candidates: readonly Candidate[];
  readonly #random: () => number;
  /** `#ends[i]` is the sum of the weights of the candidates 0 to i. */
  readonly #ends: readonly number[];
  readonly #total: number;
  /** The weight that all candidates share; 0 when they differ. */
  readonly #sharedWeight: number;

  constructor(candidates: readonly Candidate[], random: () => number) {
    let sum = 0;
    this.#candidates = candidates;
    this.#random = random;
    this.#ends = candidates.map(candidate => (sum += candidate.weight));
    this.#total = sum;
    const first = candidates[0]?.weight ?? 0;
    this.#sharedWeight = candidates.every(candidate => candidate.weight === first) ? first : 0;
  }

  /** One candidate, or undefined when all are skipped. */
  one(skip: Skip): Candidate | undefined {
    return this.#candidates[this.#draw(skip, NONE)];
  }

  /**
   * The cheaper of two distinct candidates; the only open one without asking its cost; undefined when all are
   * skipped. Equal costs keep the one drawn first. With equal weights every pair is equally likely.
   */
  cheaperOfTwo(cost: (candidate: Candidate) => number, skip: Skip): Candidate | undefined {
    const index = this.#draw(skip, NONE);
    if (index === NONE) return undefined;
    const first = at(this.#candidates, index);
    const second = this.#candidates[this.#draw(skip, index)];
    if (second === undefined) return first;
    return cost(second) < cost(first) ? second : first;
  }

  #draw(skip: Skip, except: number): number {
    const missing = except === NONE ? 0 : at(this.#candidates, except).weight;
    const total = this.#total - missing;
    if (total === 0) return NONE;

    let point = total === 1 ? 0 : Math.floor(this.#random() * total);
    // Stepping over the stretch of `except` (rather than drawing again) keeps the rest in proportion.
    if (except !== NONE && point >= at(this.#ends, except) - missing) point += missing;

    const index =
      this.#sharedWeight > 0 ? Math.floor(point / this.#sharedWeight) : firstAbove(this.#ends, point);
    return skip?.(at(this.#candidates, index)) === true ? this.#drawOpen(skip, except) : index;
  }

  #drawOpen(skip: NonNullable<Skip>, except: number): number {
    const open: number[] = [];
    const ends: number[] = [];
    let sum = 0;
    this.#candidates.forEach((candidate, index) => {
      if (index === except || skip(candidate)) return;
      open.push(index);
      ends.push((sum += candidate.weight));
    });
    if (sum === 0) return NONE;
    return at(open, firstAbove(ends, Math.floor(this.#random() * sum)));
  }
}

/** Index of the first of the ascending `ends` that lies above `point`. */
function firstAbove(ends: readonly number[], point: number): number {
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(ends, middle) > point) high = middle;
    else low = middle + 1;
  }
  return low;
}
