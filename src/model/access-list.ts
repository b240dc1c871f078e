/**
 * What a listener's `access` says of each address: the decision, looked up in memory that all threads share.
 *
 * Place: control builds an `AccessPlan` from the configuration and the files that it names; the gate of each data plane
 * looks clients up in it, `lb4 check --client` does as well.
 * Invariants:
 * - An IPv4 address and the IPv6 address that is mapped from it are the same client; other IPv6 addresses have nothing
 *   to do with IPv4.
 * - What is no address is denied.
 */
import { ipKey } from '../shared-memory/ip-key.ts';
import { numberIn, type RangeTable } from '../shared-memory/range-table.ts';

/** What becomes of a client: its number in the tables. */
export const DECISION = { reset: 0, drop: 1, allow: 2 } as const;
export type Decision = (typeof DECISION)[keyof typeof DECISION];

export interface AccessPlan {
  readonly ipv4: RangeTable;
  readonly ipv6: RangeTable;
  /** Of clients of unix sockets. */
  readonly unix: number;
}

const key = new Int32Array(4);
const unsigned = new Uint32Array(key.buffer);
const MAPPED = 0xffff;

/** @param address '' for a client of a unix socket */
export function decisionFor({ ipv4, ipv6, unix }: AccessPlan, address: string): number {
  if (address === '') return unix;
  if (!ipKey(address, key)) return DECISION.reset;
  const isIPv4 = key[0] === 0 && key[1] === 0 && key[2] === MAPPED;
  return isIPv4 ? numberIn(ipv4, unsigned, 3) : numberIn(ipv6, unsigned, 0);
}
