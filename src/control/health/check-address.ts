/**
 * Where a check of a backend connects: to one address for all backends, to another port of each, or where sessions go.
 *
 * Place: the keys `address` and `port` of `health` and `agent`.
 */
import type { Address } from '../../support/address.ts';

export interface CheckPlace {
  readonly address?: Address | undefined;
  readonly port?: number | undefined;
}

/** Empty while neither the check nor the backend has an address. */
export function checkAddresses(place: CheckPlace, backend: readonly Address[]): readonly Address[] {
  const { address, port } = place;
  if (address !== undefined) return [address];
  // Only TCP has ports; the configuration refuses one for backends that are unix sockets.
  return port === undefined ? backend : backend.map(each => (each.kind === 'tcp' ? { ...each, port } : each));
}
