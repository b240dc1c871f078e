/**
 * Weighted random (`random`): every pick is an independent draw in proportion to weight.
 *
 * Place: built by the picker; one instance per plan, no state to carry over.
 * Why: needs neither counts nor history, so any number of balancers can use it without knowing each other;
 * the price is chance: with k picks a backend's share p strays by about sqrt(k·p·(1-p)).
 */
import type { StrategyFactory } from './strategy.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** Factory of the strategy `random`. */
export const createRandom: StrategyFactory = (candidates, { random }) => {
  const draw = new WeightedDraw(candidates, random);
  return { pick: ({ skip }) => draw.one(skip) };
};
