/**
 * Where a check of a backend connects: to one address for all, to another port of each, or where sessions go.
 *
 * Place: the keys `address` and `port` of `health` and `agent`.
 */
import type { Address } from '../support/address.ts';

export interface CheckPlace {
  readonly address?: Address | undefined;
  readonly port?: number | undefined;
}

/** Undefined while the backend has no address and the check has none of its own. */
export function checkAddress(place: CheckPlace, backend: Address | undefined): Address | undefined {
  if (place.address !== undefined) return place.address;
  // A port goes with TCP only; the configuration refuses it for backends that are unix sockets.
  if (place.port === undefined || backend?.kind !== 'tcp') return backend;
  return { ...backend, port: place.port };
}
