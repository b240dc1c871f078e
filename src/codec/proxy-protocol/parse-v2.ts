/**
 * A whole header of version 2: command, addresses, TLVs, and the checksum over all of it (section 2.2).
 *
 * Place: a part of parse.ts, which has found signature and length.
 * What is lenient: a family or a transport without the other, and one of `UNSPEC`, are addresses that are not known.
 * A header with the command `LOCAL` is dropped as a whole, as the specification demands.
 */
import { formatIPv4, formatIPv6 } from '../../support/ip-bytes.ts';
import { crc32c } from './crc32c.ts';
import {
  ADDRESS_BYTES,
  SSL_FIXED_BYTES,
  TLV,
  TLV_FIXED_BYTES,
  UNIQUE_ID_MAX_BYTES,
  UNIX_PATH_BYTES,
  V2_FIXED_BYTES,
  type IpAddresses,
  type ProxyHeader,
  type ProxyProblem,
  type ProxyTlv,
  type SslTlv,
  type UnixAddresses,
} from './header.ts';

const LOCAL: ProxyHeader = Object.freeze({
  version: 2,
  command: 'local',
  addresses: undefined,
  tlvs: Object.freeze([]),
});
const NONE: readonly ProxyTlv[] = LOCAL.tlvs;
const COMMANDS = ['local', 'proxy'] as const;
const TRANSPORTS = [undefined, 'stream', 'datagram'] as const;
const FAMILIES = ['unspecified', 'ipv4', 'ipv6', 'unix'] as const;

/** @param end the length of the header */
export function parseV2(bytes: Uint8Array, end: number): ProxyHeader | ProxyProblem {
  const command = COMMANDS[(bytes[12] ?? 0) & 0x0f];
  const family = FAMILIES[(bytes[13] ?? 0) >> 4];
  const transportNibble = (bytes[13] ?? 0) & 0x0f;
  if (command === undefined || family === undefined || transportNibble >= TRANSPORTS.length)
    return 'malformed';
  if (command === 'local') return LOCAL;
  const tlvsAt = V2_FIXED_BYTES + ADDRESS_BYTES[family];
  if (tlvsAt > end) return 'malformed';
  const tlvs = tlvsAt === end ? NONE : parseTlvs(bytes, tlvsAt, end);
  if (tlvs === undefined || !areSound(tlvs)) return 'malformed';
  if (!isChecked(bytes, end, tlvsAt, tlvs)) return 'badChecksum';
  const transport = TRANSPORTS[transportNibble];
  const addresses = transport === undefined ? undefined : addressesOf(bytes, family, transport);
  return { version: 2, command, addresses, tlvs };
}

/** Undefined: they are malformed. Their values are copies. */
function parseTlvs(bytes: Uint8Array, from: number, end: number): readonly ProxyTlv[] | undefined {
  const tlvs: ProxyTlv[] = [];
  let at = from;
  while (at < end) {
    if (at + TLV_FIXED_BYTES > end) return undefined;
    const start = at + TLV_FIXED_BYTES;
    const next = start + (((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0));
    if (next > end) return undefined;
    tlvs.push({ type: bytes[at] ?? 0, value: Uint8Array.from(bytes.subarray(start, next)) });
    at = next;
  }
  return tlvs;
}

function areSound(tlvs: readonly ProxyTlv[]): boolean {
  let checksums = 0;
  for (const { type, value } of tlvs) {
    if (type === TLV.crc32c && (value.length !== 4 || ++checksums > 1)) return false;
    if (type === TLV.uniqueId && value.length > UNIQUE_ID_MAX_BYTES) return false;
    if (type === TLV.ssl && parseSslTlv(value) === undefined) return false;
  }
  return true;
}

/** Whether the checksum is the right one, where there is one. */
function isChecked(bytes: Uint8Array, end: number, tlvsAt: number, tlvs: readonly ProxyTlv[]): boolean {
  let at = tlvsAt;
  for (const { type, value } of tlvs) {
    if (type === TLV.crc32c) return uint32(value, 0) === crc32c(bytes.subarray(0, end), at + TLV_FIXED_BYTES);
    at += TLV_FIXED_BYTES + value.length;
  }
  return true;
}

/** The value of a TLV of type `ssl`; undefined: it is malformed. */
export function parseSslTlv(value: Uint8Array): SslTlv | undefined {
  if (value.length < SSL_FIXED_BYTES) return undefined;
  const tlvs = parseTlvs(value, SSL_FIXED_BYTES, value.length);
  return tlvs && { client: value[0] ?? 0, verify: uint32(value, 1), tlvs };
}

/** Literals without spreads: with one, each took six times as long as everything else here. */
function addressesOf(
  bytes: Uint8Array,
  family: (typeof FAMILIES)[number],
  transport: 'stream' | 'datagram',
): IpAddresses | UnixAddresses | undefined {
  const at = V2_FIXED_BYTES;
  switch (family) {
    case 'unspecified':
      return undefined;
    case 'unix':
      return {
        family,
        transport,
        source: pathAt(bytes, at),
        destination: pathAt(bytes, at + UNIX_PATH_BYTES),
      };
    case 'ipv4':
    case 'ipv6': {
      const size = family === 'ipv4' ? 4 : 16;
      const format = family === 'ipv4' ? formatIPv4 : formatIPv6;
      return {
        family,
        transport,
        source: { address: format(bytes, at), port: uint16(bytes, at + 2 * size) },
        destination: { address: format(bytes, at + size), port: uint16(bytes, at + 2 * size + 2) },
      };
    }
  }
}

/** Up to the zeros behind it. A name in the abstract namespace begins with one. */
function pathAt(bytes: Uint8Array, at: number): Uint8Array {
  const field = bytes.subarray(at, at + UNIX_PATH_BYTES);
  let length = field.length;
  while (length > 0 && field[length - 1] === 0) length -= 1;
  return Uint8Array.from(field.subarray(0, length));
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function uint32(bytes: Uint8Array, at: number): number {
  return uint16(bytes, at) * 0x10000 + uint16(bytes, at + 2);
}
