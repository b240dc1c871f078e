/**
 * First available (`first`): the first candidate, in configured order, that may still take a session.
 *
 * Place: built by the picker; a full backend (`maxSessions`) is skipped through `PickContext.skip`.
 * Why: it fills one backend before it starts the next, so that spare ones can be switched off.
 * Without `maxSessions` everything goes to the first backend. After: HAProxy's `balance first`.
 */
import type { StrategyFactory } from './strategy.ts';

/** Factory of the strategy `first`. Weights have no effect here, except 0. */
export const createFirstAvailable: StrategyFactory = candidates => ({
  pick({ skip }) {
    return skip === undefined ? candidates[0] : candidates.find(candidate => !skip(candidate));
  },
});
