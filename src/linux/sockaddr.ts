/**
 * Socket addresses as the kernel reads and writes them.
 *
 * Place: between lb4's `Address` and bind, connect and accept4. Layouts: ip(7), ipv6(7), unix(7); ports and
 * addresses are in network order, the family and the scope in the machine's (little-endian on both
 * architectures the engine knows).
 */
import { isIPv4 } from 'node:net';

import { bytesOfIPv4, bytesOfIPv6, formatIPv4, formatIPv6, isMappedIPv4 } from '../support/ip-bytes.ts';
import { isAbstract, type Address, type UnixAddress } from '../support/address.ts';
import { scopeOf, splitZone, zoneOf } from '../support/zone.ts';
import { AF_INET, AF_INET6, AF_UNIX } from './abi.ts';

/** Room for every address this engine meets; sockaddr_un is the largest. */
export const SOCKADDR_BYTES = 112;
/** `sun_path`, with its NUL. */
const UNIX_PATH_BYTES = 108;
const UNIX_PATH_AT = 2;

export interface EncodedAddress {
  readonly family: number;
  readonly bytes: Buffer;
}

/** Encodes a numeric or unix address. Throws a RangeError for a unix path that is too long for the system. */
export function encodeAddress(address: Address): EncodedAddress {
  if (address.kind === 'unix') return encodeUnix(address);
  return isIPv4(address.host)
    ? encodeIPv4(address.host, address.port)
    : encodeIPv6(address.host, address.port);
}

function encodeUnix(address: UnixAddress): EncodedAddress {
  // An abstract name begins with a NUL and ends where the address ends; a path ends with a NUL.
  const name = isAbstract(address) ? `\0${address.path.slice(1)}` : `${address.path}\0`;
  const text = Buffer.from(name);
  if (text.length > UNIX_PATH_BYTES) {
    throw new RangeError(
      `a unix socket's path has at most ${UNIX_PATH_BYTES - 1} bytes, this one has ${text.length - 1}`,
    );
  }
  const bytes = Buffer.alloc(UNIX_PATH_AT + text.length);
  bytes.writeUInt16LE(AF_UNIX, 0);
  text.copy(bytes, UNIX_PATH_AT);
  return { family: AF_UNIX, bytes };
}

function encodeIPv4(host: string, port: number): EncodedAddress {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(bytesOfIPv4(host), 4);
  return { family: AF_INET, bytes };
}

function encodeIPv6(host: string, port: number): EncodedAddress {
  const [address, zone] = splitZone(host);
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16LE(AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(bytesOfIPv6(address), 8);
  bytes.writeUInt32LE(zone === undefined ? 0 : scopeOf(zone), 24);
  return { family: AF_INET6, bytes };
}

/** The address that the kernel has written in `length` bytes; undefined for other kinds, and for a socket without one. */
export function decodeAddress(bytes: Buffer, length: number): Address | undefined {
  const family = bytes.readUInt16LE(0);
  if (family === AF_INET || family === AF_INET6)
    return { kind: 'tcp', host: hostOf(bytes), port: portOf(bytes) };
  if (family !== AF_UNIX || length <= UNIX_PATH_AT) return undefined;
  const name = bytes.subarray(UNIX_PATH_AT, length);
  if (name[0] === 0) return { kind: 'unix', path: `@${name.subarray(1).toString()}` };
  const end = name.indexOf(0);
  return { kind: 'unix', path: name.subarray(0, end === -1 ? name.length : end).toString() };
}

/** The port of a TCP address that the kernel has written. */
export function portOf(bytes: Buffer): number {
  return bytes.readUInt16BE(2);
}

/**
 * The IP address that the kernel has written, '' for a unix socket; a mapped IPv4 address as IPv4. Only a link-local
 * address has a scope: its interface follows it.
 */
export function hostOf(bytes: Buffer): string {
  const family = bytes.readUInt16LE(0);
  if (family === AF_INET) return formatIPv4(bytes, 4);
  if (family !== AF_INET6) return '';
  if (isMappedIPv4(bytes, 8)) return formatIPv4(bytes, 20);
  const host = formatIPv6(bytes, 8);
  const scope = bytes.readUInt32LE(24);
  return scope === 0 ? host : `${host}%${zoneOf(scope)}`;
}
