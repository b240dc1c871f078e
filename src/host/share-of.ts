/**
 * One data plane's share of what an upstream is allowed as a whole.
 *
 * Place: the fleet divides every plan with it, so that no data plane has to know how many there are.
 */
import type { Plan } from '../model/plan.ts';
import type { UpstreamPlan } from '../model/upstream-plan.ts';

/** How an upstream is divided, as one data plane sees it. */
export interface Division {
  /** Data planes whose clients may reach it. */
  readonly planes: number;
  /** Whether this is one of them. */
  readonly isOne: boolean;
}

/**
 * Spare connections are rounded up: every data plane that may need some has at least one if there are to be any.
 *
 * @param divisionOf by the name of the upstream
 */
export function shareOf(plan: Plan, divisionOf: (upstream: string) => Division): Plan {
  if (plan.kind === 'upstreamGone') return plan;
  const share = (upstream: UpstreamPlan): UpstreamPlan => upstreamShare(upstream, divisionOf(upstream.name));
  if (plan.kind === 'upstream') return { ...plan, upstream: share(plan.upstream) };
  return { ...plan, upstreams: plan.upstreams.map(share) };
}

function upstreamShare(plan: UpstreamPlan, { planes, isOne }: Division): UpstreamPlan {
  const { pool, connect } = plan;
  const { retryBudget } = connect;
  return {
    ...plan,
    pool: { ...pool, warm: isOne ? Math.ceil(pool.warm / planes) : 0 },
    connect: {
      ...connect,
      // Also where it is not one: sessions that run there may have come before.
      retryBudget: { ...retryBudget, minPerSecond: retryBudget.minPerSecond / planes },
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
