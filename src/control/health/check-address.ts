/**
 * Where a check of a backend connects: to one address for all, to another port of each, or where sessions go.
 *
 * Place: the keys `address` and `port` of `health` and `agent`.
 */
import type { Address } from '../../support/address.ts';

export interface CheckPlace {
  readonly address?: Address | undefined;
  readonly port?: number | undefined;
}

/** None while the backend has no address and the check has none of its own. */
export function checkAddresses(place: CheckPlace, backend: readonly Address[]): readonly Address[] {
  const { address, port } = place;
  if (address !== undefined) return [address];
  // A port goes with TCP only; the configuration refuses it for backends that are unix sockets.
  return port === undefined ? backend : backend.map(each => (each.kind === 'tcp' ? { ...each, port } : each));
}
