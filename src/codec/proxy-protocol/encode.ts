/**
 * Writes PROXY protocol headers, version 1 and 2.
 *
 * Place: the data plane sends them to backends, health checks too; exported as `lb4-balancer/proxy-protocol`.
 * What is lenient: of two IP addresses of different families the IPv4 one is written as a mapped IPv6 address, and in
 * version 1, which has no other, addresses that are not those of TCP are `UNKNOWN`.
 * Invariants:
 * - What it writes, parse.ts reads: it is never longer than that takes.
 * - A TLV of type `crc32c` gets the right checksum, whatever its value.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { bytesOfIPv4, bytesOfIPv6, formatIPv6 } from '../../support/ip-bytes.ts';
import { crc32c } from './crc32c.ts';
import {
  ADDRESS_BYTES,
  SSL_FIXED_BYTES,
  TLV,
  TLV_FIXED_BYTES,
  UNIQUE_ID_MAX_BYTES,
  UNIX_PATH_BYTES,
  V2_FIXED_BYTES,
  V2_MAX_BYTES,
  V2_SIGNATURE,
  type IpAddresses,
  type ProxyHeader,
  type ProxyTlv,
  type SslTlv,
  type UnixAddresses,
} from './header.ts';
import { inOneFamily } from './tcp-addresses.ts';

/** Characters, in groups only. */
const LONGEST_IPV6 = 39;
const FAMILIES = { ipv4: 0x10, ipv6: 0x20, unix: 0x30 } as const;
const TRANSPORTS = { stream: 0x01, datagram: 0x02 } as const;

/** What is written; `tlvs` are for version 2 only. Default: none. */
export type ProxyHeaderInput = Omit<ProxyHeader, 'tlvs'> & { readonly tlvs?: readonly ProxyTlv[] };

/** The bytes of a header. Throws `RangeError` for one that cannot be written, and says why. */
export function encodeProxyHeader(header: ProxyHeaderInput): Uint8Array {
  const { version, command, tlvs = [] } = header;
  const given = command === 'proxy' ? header.addresses : undefined;
  if (given !== undefined) check(given);
  const addresses = given === undefined || given.family === 'unix' ? given : inOneFamily(given);
  if (version === 1) return Buffer.from(`${lineOf(addresses)}\r\n`, 'latin1');
  // A receiver drops what comes with `local`.
  return encodeV2(command, addresses, command === 'proxy' ? tlvs : []);
}

/** The value of a TLV of type `ssl`. */
export function encodeSslTlv({ client, verify, tlvs }: SslTlv): Uint8Array {
  const value = Buffer.alloc(SSL_FIXED_BYTES + lengthOf(tlvs));
  value.writeUInt8(client, 0);
  value.writeUInt32BE(verify, 1);
  writeTlvs(value, SSL_FIXED_BYTES, tlvs);
  return value;
}

/** The bytes that TLVs take. */
export function lengthOf(tlvs: readonly ProxyTlv[]): number {
  return tlvs.reduce((sum, { value }) => sum + TLV_FIXED_BYTES + value.length, 0);
}

function lineOf(addresses: IpAddresses | UnixAddresses | undefined): string {
  if (addresses === undefined || addresses.family === 'unix' || addresses.transport !== 'stream')
    return 'PROXY UNKNOWN';
  const { family, source, destination } = addresses;
  const protocol = family === 'ipv4' ? 'TCP4' : 'TCP6';
  const [from, to] = [source, destination].map(({ address }) => shortened(address));
  return `PROXY ${protocol} ${from ?? ''} ${to ?? ''} ${source.port} ${destination.port}`;
}

/** In a form for which version 1 has room: not with the last 32 bits dotted, unless the rest is short. */
function shortened(address: string): string {
  if (address.length <= LONGEST_IPV6) return address;
  return formatIPv6(Uint8Array.from(bytesOfIPv6(address)), 0);
}

function encodeV2(
  command: ProxyHeader['command'],
  addresses: IpAddresses | UnixAddresses | undefined,
  tlvs: readonly ProxyTlv[],
): Uint8Array {
  const addressBytes = ADDRESS_BYTES[addresses?.family ?? 'unspecified'];
  const length = addressBytes + lengthOf(tlvs);
  if (V2_FIXED_BYTES + length > V2_MAX_BYTES)
    throw wrong(`is longer than ${String(V2_MAX_BYTES)} bytes: ${String(V2_FIXED_BYTES + length)}`);
  const bytes = Buffer.alloc(V2_FIXED_BYTES + length);
  bytes.set(V2_SIGNATURE);
  bytes[12] = command === 'local' ? 0x20 : 0x21;
  bytes[13] = addresses === undefined ? 0 : FAMILIES[addresses.family] | TRANSPORTS[addresses.transport];
  bytes.writeUInt16BE(length, 14);
  if (addresses !== undefined) writeAddresses(bytes, addresses);
  const checksumAt = writeTlvs(bytes, V2_FIXED_BYTES + addressBytes, tlvs);
  if (checksumAt !== undefined) bytes.writeUInt32BE(crc32c(bytes, checksumAt), checksumAt);
  return bytes;
}

function writeAddresses(bytes: Buffer, addresses: IpAddresses | UnixAddresses): void {
  const at = V2_FIXED_BYTES;
  if (addresses.family === 'unix') {
    bytes.set(addresses.source, at);
    bytes.set(addresses.destination, at + UNIX_PATH_BYTES);
    return;
  }
  const { source, destination } = addresses;
  const [size, bytesOf] = addresses.family === 'ipv4' ? [4, bytesOfIPv4] : [16, bytesOfIPv6];
  bytes.set(bytesOf(source.address), at);
  bytes.set(bytesOf(destination.address), at + size);
  bytes.writeUInt16BE(source.port, at + 2 * size);
  bytes.writeUInt16BE(destination.port, at + 2 * size + 2);
}

/** Returns where the checksum belongs, if there is to be one. */
function writeTlvs(bytes: Buffer, from: number, tlvs: readonly ProxyTlv[]): number | undefined {
  let at = from;
  let checksumAt: number | undefined;
  for (const { type, value } of tlvs) {
    checkTlv(type, value);
    bytes[at] = type;
    bytes.writeUInt16BE(value.length, at + 1);
    bytes.set(value, at + TLV_FIXED_BYTES);
    if (type === TLV.crc32c) {
      if (checksumAt !== undefined) throw wrong('has two checksums');
      checksumAt = at + TLV_FIXED_BYTES;
    }
    at += TLV_FIXED_BYTES + value.length;
  }
  return checksumAt;
}

function checkTlv(type: number, { length }: Uint8Array): void {
  if (!Number.isInteger(type) || type < 0 || type > 255)
    throw wrong(`has a TLV of a type that is not 0 to 255: ${String(type)}`);
  if (type === TLV.crc32c && length !== 4) throw wrong(`has a checksum of ${String(length)} bytes, not 4`);
  if (type === TLV.uniqueId && length > UNIQUE_ID_MAX_BYTES)
    throw wrong(`has a unique id of more than ${String(UNIQUE_ID_MAX_BYTES)} bytes: ${String(length)}`);
}

/** Throws for what no header can have. */
function check(addresses: IpAddresses | UnixAddresses): void {
  if (addresses.family === 'unix') {
    for (const { length } of [addresses.source, addresses.destination])
      if (length > UNIX_PATH_BYTES)
        throw wrong(`has a path of more than ${String(UNIX_PATH_BYTES)} bytes: ${String(length)}`);
    return;
  }
  for (const { address, port } of [addresses.source, addresses.destination]) {
    const isAddress = isIPv4(address) || (isIPv6(address) && !address.includes('%'));
    if (!isAddress) throw wrong(`has an address that is no IP address: ${address}`);
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw wrong(`has a port that is not 0 to 65535: ${String(port)}`);
  }
}

function wrong(what: string): RangeError {
  return new RangeError(`a PROXY header that ${what}`);
}
