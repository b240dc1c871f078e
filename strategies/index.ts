/**
 * The strategies by the names that the command line and the configuration use: one explicit table.
 *
 * Place: what the picker imports, and the package's export `lb4-balancer/strategies`. `load-strategy.ts` adds modules.
 * Invariant: strategies built through `createStrategy` see only candidates of weight 1 and more.
 */
import { createFirstAvailable } from './first-available.ts';
import { createLeastConnections } from './least-connections.ts';
import { createPeakEwma } from './peak-ewma.ts';
import { createPowerOfTwo } from './power-of-two.ts';
import { createRandom } from './random.ts';
import { createRoundRobin } from './round-robin.ts';
import { createSourceHash } from './source-hash.ts';
import type { Candidate, Strategy, StrategyDeps, StrategyFactory } from './strategy.ts';

export type { Candidate, PickContext, Strategy, StrategyDeps, StrategyFactory } from './strategy.ts';
export { HEAD_NUMBERS, turnBytes, turnRecords } from './turns.ts';
export type { Turns } from './turns.ts';

/** The names, in the order in which help and documentation list them. */
export const STRATEGY_NAMES = [
  'roundrobin',
  'leastconn',
  'iphash',
  'random',
  'p2c',
  'ewma',
  'first',
] as const;

export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** The factory behind each name. */
export const STRATEGIES: Readonly<Record<StrategyName, StrategyFactory>> = Object.freeze({
  roundrobin: createRoundRobin,
  leastconn: createLeastConnections,
  iphash: createSourceHash,
  random: createRandom,
  p2c: createPowerOfTwo,
  ewma: createPeakEwma,
  first: createFirstAvailable,
});

/** Whether this is the name of a built-in strategy. */
export function isStrategyName(name: string): name is StrategyName {
  return Object.hasOwn(STRATEGIES, name);
}

/**
 * Builds a strategy over a plan's candidates without those of weight 0, so that no factory has to handle them.
 * `changed` and `connected` may still be called for any candidate. Ids must be unique.
 */
export function createStrategy(
  factory: StrategyFactory,
  candidates: readonly Candidate[],
  deps: StrategyDeps,
  previous?: Strategy,
): Strategy {
  const eligible = candidates.filter(candidate => candidate.weight > 0);
  return factory(eligible, deps, previous);
}
