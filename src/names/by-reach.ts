/**
 * The order in which the addresses of a name are tried.
 *
 * Place: `Names`. Simpler than RFC 6724:
 * - A family of which this machine has an address comes first.
 * - IPv4 comes first where it has both: a broken IPv6 costs a timeout, and most programs on `localhost` listen on IPv4
 *   only.
 * - Within a family the order is the name server's. No address is left out.
 */
import { isIPv4 } from 'node:net';
import type { Interfaces } from '../support/interfaces.ts';

export function byReach(addresses: readonly string[], interfaces: Interfaces): readonly string[] {
  const v4 = addresses.filter(isIPv4);
  const v6 = addresses.filter(address => !isIPv4(address));
  const own = Object.values(interfaces).flatMap((addresses = []) =>
    addresses.filter(({ internal }) => !internal),
  );
  const hasV4 = own.some(({ family }) => family === 'IPv4');
  const hasV6 = own.some(({ family, address }) => family === 'IPv6' && !address.startsWith('fe80:'));
  return hasV6 && !hasV4 ? [...v6, ...v4] : [...v4, ...v6];
}
