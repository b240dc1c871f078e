/**
 * The two ends of a connection, as a PROXY header names them.
 *
 * Place: the data plane and the health checks give it what they know of a connection; encode.ts asks it for the family.
 */
import { isIPv4 } from 'node:net';
import { splitZone } from '../../support/zone.ts';
import type { IpAddresses, ProxyEndpoint } from './header.ts';

/** Undefined where an end is not known. Without zones, which mean something on this machine only. */
export function tcpAddresses(
  source: ProxyEndpoint | undefined,
  destination: ProxyEndpoint | undefined,
): IpAddresses | undefined {
  if (source === undefined || destination === undefined) return undefined;
  const [from, to] = [withoutZone(source), withoutZone(destination)];
  return inOneFamily({ family: 'ipv4', transport: 'stream', source: from, destination: to });
}

/** From `192.0.2.1:80` or `[2001:db8::1]:80`; undefined for ''. */
export function endpointOf(text: string): ProxyEndpoint | undefined {
  const colon = text.lastIndexOf(':');
  if (colon < 0) return undefined;
  const address = text.startsWith('[') ? text.slice(1, colon - 1) : text.slice(0, colon);
  return { address, port: Number(text.slice(colon + 1)) };
}

/** With the family that both ends have: of different ones, the IPv4 address becomes a mapped IPv6 address. */
export function inOneFamily(addresses: IpAddresses): IpAddresses {
  const { family, source, destination } = addresses;
  if (isIPv4(source.address) && isIPv4(destination.address))
    return family === 'ipv4' ? addresses : { ...addresses, family: 'ipv4' };
  return { ...addresses, family: 'ipv6', source: mapped(source), destination: mapped(destination) };
}

function mapped(end: ProxyEndpoint): ProxyEndpoint {
  return isIPv4(end.address) ? { ...end, address: `::ffff:${end.address}` } : end;
}

function withoutZone({ address, port }: ProxyEndpoint): ProxyEndpoint {
  return { address: splitZone(address)[0], port };
}
