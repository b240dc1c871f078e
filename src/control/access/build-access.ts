/**
 * Ordered rules → the memory in which data planes look clients up.
 *
 * Place: composition reads the rules from the configuration and its files, and puts the result into the plan of the
 * listener.
 * Invariant: the result decides as the first rule that has the client, or as `otherwise`.
 */
import type { AccessPlan } from '../../model/access-list.ts';
import type { NetworkWords } from '../../model/network-words.ts';
import type { Sliced } from '../../support/slices.ts';
import { cutIntoRanges } from './cut-ranges.ts';
import { sortedIPv4, sortedIPv6 } from './sorted-networks.ts';

export interface AccessRule {
  readonly decision: number;
  readonly networks: readonly NetworkWords[];
  /** Every client, unix sockets included. */
  readonly isAll: boolean;
  readonly isUnix: boolean;
}

export function* buildAccess(rules: readonly AccessRule[], otherwise: number): Sliced<AccessPlan> {
  // What stands behind a rule that has every client decides nothing.
  const end = rules.findIndex(({ isAll }) => isAll);
  const asked = end < 0 ? rules : rules.slice(0, end);
  const last = rules[end]?.decision ?? otherwise;
  const sets = asked.map(({ networks }) => networks);
  const decisions = asked.map(({ decision }) => decision);
  return {
    ipv4: yield* cutIntoRanges(yield* sortedIPv4(sets), decisions, last),
    ipv6: yield* cutIntoRanges(yield* sortedIPv6(sets), decisions, last),
    unix: asked.find(({ isUnix }) => isUnix)?.decision ?? last,
  };
}
