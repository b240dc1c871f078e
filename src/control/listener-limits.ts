/**
 * What `limits` of a listener mean for its data planes: rates as token buckets, and the tables that clients are counted
 * in.
 *
 * Place: a part of listener-plans.ts.
 */
import type { Config } from '../config/schema/schema.ts';
import type { ClientLimits, ListenerLimits } from '../model/listener-plan.ts';
import type { Whose } from '../shared-memory/client-tables.ts';
import type { ControlledState } from '../shared-memory/shared-state.ts';
import { SHORTEST_PAUSE_MS } from '../shared-memory/start-rates.ts';
import { bucketRule, type BucketRule } from '../shared-memory/token-bucket.ts';
import { parseRate } from '../support/rate.ts';

type Limits = Config['listeners'][number]['limits'];

export function listenerLimits(
  listener: string,
  { rate, burst, perClient, perNetwork, ...others }: Limits,
  shared: ControlledState,
): ListenerLimits {
  const bucket = ruleOf(rate, burst);
  const limitsOf = (whose: Whose, limits: Limits['perClient']): ClientLimits | undefined => {
    if (limits === undefined) return undefined;
    const { sessions, ipv4Prefix, ipv6Prefix } = limits;
    const table = shared.clientTable(listener, { ...limits, whose });
    return { sessions, ipv4Prefix, ipv6Prefix, rate: ruleOf(limits.rate, limits.burst), table };
  };
  return {
    ...others,
    ...(bucket && { rate: withTokensOfAPause(bucket) }),
    perClient: limitsOf('client', perClient),
    perNetwork: limitsOf('network', perNetwork),
  };
}

function ruleOf(rate: string | undefined, burst: number | undefined): BucketRule | undefined {
  const parsed = rate === undefined ? undefined : parseRate(rate);
  return parsed && bucketRule(parsed, burst);
}

function withTokensOfAPause({ intervalMs, burst }: BucketRule): BucketRule {
  return { intervalMs, burst: Math.max(burst, Math.ceil(SHORTEST_PAUSE_MS / intervalMs)) };
}
