/**
 * One data plane's share of what an upstream is allowed as a whole.
 *
 * Place: the fleet divides every plan with it, so that no data plane has to know how many there are.
 */
import type { Plan } from '../model/plan.ts';
import type { UpstreamPlan } from '../model/upstream-plan.ts';

/** Spare connections are rounded up: every data plane has at least one if there are to be any. */
export function shareOf(plan: Plan, workers: number): Plan {
  if (plan.kind === 'upstreamGone') return plan;
  if (plan.kind === 'upstream') return { ...plan, upstream: upstreamShare(plan.upstream, workers) };
  return { ...plan, upstreams: plan.upstreams.map(upstream => upstreamShare(upstream, workers)) };
}

function upstreamShare(plan: UpstreamPlan, workers: number): UpstreamPlan {
  const { pool, connect } = plan;
  const { retryBudget } = connect;
  return {
    ...plan,
    pool: { ...pool, warm: Math.ceil(pool.warm / workers) },
    connect: {
      ...connect,
      retryBudget: { ...retryBudget, minPerSecond: retryBudget.minPerSecond / workers },
    },
  };
}

/** Shares the number of clients that may wait at paused listeners, where there is a limit. */
export function waitingShare(limit: number | undefined, workers: number): { waitingLimit?: number } {
  return limit === undefined ? {} : { waitingLimit: Math.max(Math.floor(limit / workers), 1) };
}

/** Spare connections of all data planes together, each with its share. */
export function sparesOfAll(warm: number, workers: number): number {
  return workers === 0 ? warm : Math.ceil(warm / workers) * workers;
}
