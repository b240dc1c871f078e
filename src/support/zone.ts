/**
 * Zones of IPv6 addresses: the interface that a link-local address belongs to, as in `fe80::1%eth0`.
 *
 * Place: wherever an address meets the kernel, which knows interfaces by number, or Node, which knows them by name.
 * Invariant: a zone is passed on as it was written. Names of interfaces are case-sensitive: the kernel names network
 * cards after their PCI domain, such as `enP2s1`.
 */
import { ownInterfaces } from './interfaces.ts';

/** The address without its zone, and the zone if there is one. */
export function splitZone(host: string): readonly [address: string, zone: string | undefined] {
  const at = host.indexOf('%');
  return at < 0 ? [host, undefined] : [host.slice(0, at), host.slice(at + 1)];
}

/** The number of the interface that a zone names, or is; 0 when there is no such interface. */
export function scopeOf(zone: string): number {
  // Its other addresses have no scope.
  for (const each of ownInterfaces()[zone] ?? [])
    if (each.family === 'IPv6' && each.scopeid !== 0) return each.scopeid;
  return /^\d{1,9}$/.test(zone) ? Number(zone) : 0;
}

/** The name of an interface, as Node prints it, or its number. */
export function zoneOf(scope: number): string {
  for (const [name, addresses = []] of Object.entries(ownInterfaces()))
    if (addresses.some(each => each.family === 'IPv6' && each.scopeid === scope)) return name;
  return String(scope);
}

/** A host as Node's sockets take it: they know an interface by its name only. */
export function withNamedZone(host: string): string {
  const [address, zone] = splitZone(host);
  return zone !== undefined && /^\d+$/.test(zone) ? `${address}%${zoneOf(Number(zone))}` : host;
}
