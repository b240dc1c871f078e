/**
 * One data plane's share of what an upstream is allowed as a whole.
 *
 * Place: the fleet divides every plan with it, so that no data plane has to know how many there are.
 */
import type { Plan } from '../model/plan.ts';

/** Spare connections are rounded up: every data plane has at least one if there are to be any. */
export function shareOf(plan: Plan, workers: number): Plan {
  if (plan.kind !== 'upstream') return plan;
  const { pool, connect } = plan.upstream;
  const { retryBudget } = connect;
  return {
    ...plan,
    upstream: {
      ...plan.upstream,
      pool: { ...pool, warm: Math.ceil(pool.warm / workers) },
      connect: {
        ...connect,
        retryBudget: { ...retryBudget, minPerSecond: retryBudget.minPerSecond / workers },
      },
    },
  };
}

/** Shares the number of clients that may wait at paused listeners. */
export function waitingShare(limit: number, workers: number): number {
  return Math.max(Math.floor(limit / workers), 1);
}

/** Spare connections of all data planes together, each with its share. */
export function sparesOfAll(warm: number, workers: number): number {
  return workers === 0 ? warm : Math.ceil(warm / workers) * workers;
}
