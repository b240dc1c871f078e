/**
 * How many sessions each candidate may have so that loads are bounded: factor × the average, by weight, rounded up.
 *
 * Place: used by `iphash` with `balanceFactor`.
 * Invariant: with a factor of at least 1 some candidate is always below its bound, because all bounds together are more
 * than the sessions there are.
 */
import type { Candidate } from './strategy.ts';

export class Bounds {
  readonly #candidates: readonly Candidate[];
  /** Sessions allowed, per unit of weight and session there is. */
  readonly #share: number;
  #sessions = 1;

  constructor(candidates: readonly Candidate[], factor: number) {
    this.#candidates = candidates;
    this.#share = factor / candidates.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** Counts the sessions anew, the one to be placed included. */
  look(): void {
    let sessions = 1;
    for (const candidate of this.#candidates) sessions += candidate.live();
    this.#sessions = sessions;
  }

  /** One more session would be beyond its bound. */
  isReached(candidate: Candidate): boolean {
    return candidate.live() >= Math.ceil(this.#share * this.#sessions * candidate.weight - ROUNDING);
  }
}

/** Products that are whole but for their last digits are not rounded up to the next number. */
const ROUNDING = 1e-9;
