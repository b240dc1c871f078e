/**
 * Power of two choices (`p2c`): draw two distinct candidates, keep the one with fewer sessions per weight.
 *
 * Place: built by the picker; one instance per plan, no state to carry over. Sessions of other instances
 * count as far as they are believed (`gain`, set in `heard`); until then they do not count.
 * Why: reads two live counts whatever the number of backends, comes close to least-connections, and many
 * balancers with a stale view do not all run to the same backend.
 * Invariants:
 * - both draws are distinct and weighted, so that a heavy backend is looked at often enough to get its share;
 * - with equal weights every pair is equally likely;
 * - ties keep the first draw.
 * Paper: Mitzenmacher 2001, "The Power of Two Choices in Randomized Load Balancing".
 */
import { elsewhereOf, gain } from './stale-counts.ts';
import type { Candidate, StrategyFactory } from './strategy.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** Factory of the strategy `p2c`. */
export const createPowerOfTwo: StrategyFactory = (candidates, { random }) => {
  const draw = new WeightedDraw(candidates, random);
  /** The factor of a session elsewhere beside one of our own. */
  let belief = 0;

  /** Counts the session to be placed too, so that of two idle backends the heavier one gets it. */
  function sessionsPerWeight(candidate: Candidate): number {
    return (candidate.live() + belief * elsewhereOf(candidate) + 1) / candidate.weight;
  }

  return {
    pick: ({ skip }) => draw.cheaperOfTwo(sessionsPerWeight, skip),
    heard(unseen) {
      belief = gain(unseen, candidates.length);
    },
  };
};
