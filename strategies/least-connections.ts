/**
 * Least connections (`leastconn`): the candidate with the fewest live sessions per weight; ties at random.
 *
 * Place: built by the picker. The key is in session-load.ts; how the least is found depends on how many there are.
 */
import { createLeastOfFew, FEW } from './least-of-few.ts';
import { createLeastOfMany } from './least-of-many.ts';
import type { StrategyFactory } from './strategy.ts';

/** Factory of the strategy `leastconn`. It reads all counts anew, so it takes nothing over from its predecessor. */
export const createLeastConnections: StrategyFactory = (candidates, deps) =>
  candidates.length <= FEW ? createLeastOfFew(candidates, deps) : createLeastOfMany(candidates, deps);
