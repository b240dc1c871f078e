/**
 * Which addresses of a configuration mean the same: where a bind listens and where a backend leads, as the kernel sees
 * them and not as they are written.
 *
 * Place: warnings.ts. Pure. An address that is unknown (a name that is not in the hosts file) equals no other.
 */
import { resolve } from 'node:path';
import { isIP } from 'node:net';
import type { Address, TcpAddress } from '../../support/address.ts';
import { splitZone } from '../../support/zone.ts';
import type { Machine } from './this-machine.ts';

/** A socket file, or a port of one IP address or of all addresses of a family. */
export interface Endpoint {
  readonly family: 'unix' | 4 | 6;
  /** The path; the IP address with its zone; '*' for every address of this machine. */
  readonly host: string;
  readonly port: number;
}

/** Where a bind listens. Port 0 is another port each time, so it is nowhere. */
export function boundAt(address: Address, machine: Machine): readonly Endpoint[] {
  if (address.kind === 'unix') return [unixEndpoint(address.path)];
  const { host, port } = address;
  if (port === 0) return [];
  if (host === '') return [4, 6].map(family => ({ family: family === 4 ? 4 : 6, host: '*', port }));
  const [first] = hostsOf(address, machine);
  if (first === undefined) return [];
  return [{ ...tcpEndpoint(first, port), ...(isUnspecified(first) ? { host: '*' } : {}) }];
}

/** Where connects to a backend may lead. */
export function leadsTo(address: Address, machine: Machine): readonly Endpoint[] {
  if (address.kind === 'unix') return [unixEndpoint(address.path)];
  return hostsOf(address, machine).map(host => {
    const endpoint = tcpEndpoint(host, address.port);
    // The kernel connects to the machine itself (Linux, ip(7) and ipv6(7)).
    return isUnspecified(host)
      ? { ...endpoint, host: endpoint.family === 4 ? '127.0.0.1' : '::1' }
      : endpoint;
  });
}

/** Finds the entry at an endpoint in constant time. Of several at one endpoint the first is found. */
export class EndpointIndex<Value> {
  readonly #byPlace = new Map<string, Value>();
  /** By family and port alone. */
  readonly #byPort = new Map<string, Value>();

  add(endpoint: Endpoint, value: Value): void {
    for (const [map, key] of [
      [this.#byPlace, placeKey(endpoint)],
      [this.#byPort, portKey(endpoint)],
    ] as const) {
      if (!map.has(key)) map.set(key, value);
    }
  }

  /** At exactly this endpoint. */
  at(endpoint: Endpoint): Value | undefined {
    return this.#byPlace.get(placeKey(endpoint));
  }

  /** A bind that cannot coexist with a bind here. */
  overlapping(endpoint: Endpoint): Value | undefined {
    if (endpoint.host === '*') return this.#byPort.get(portKey(endpoint));
    return this.at(endpoint) ?? this.at({ ...endpoint, host: '*' });
  }

  /** The bind that accepts connects to this endpoint. */
  accepting(endpoint: Endpoint, machine: Machine): Value | undefined {
    const exact = this.at(endpoint);
    if (exact !== undefined || !machine.isOwn(splitZone(endpoint.host)[0])) return exact;
    return this.at({ ...endpoint, host: '*' });
  }
}

function placeKey({ family, host, port }: Endpoint): string {
  return `${family} ${port} ${host}`;
}

function portKey({ family, host, port }: Endpoint): string {
  return family === 'unix' ? placeKey({ family, host, port }) : `${family} ${port}`;
}

function hostsOf({ host }: TcpAddress, machine: Machine): readonly string[] {
  return isIP(host) === 0 ? machine.addressesOf(host) : [host];
}

function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** An IPv4-mapped IPv6 address is an IPv4 address, also to the kernel. */
function tcpEndpoint(host: string, port: number): Endpoint {
  const mapped = /^::ffff:([\d.]+)$/.exec(host)?.[1];
  if (mapped !== undefined) return { family: 4, host: mapped, port };
  return { family: isIP(host) === 4 ? 4 : 6, host, port };
}

function unixEndpoint(path: string): Endpoint {
  // Text that begins with @ is a name and no path (unix(7)).
  return { family: 'unix', host: path.startsWith('@') ? path : resolve(path), port: 0 };
}
