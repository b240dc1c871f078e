/**
 * Reads a PROXY protocol header, version 1 or 2, from the first bytes of a connection.
 *
 * Place: a gate of the admission asks it each time more bytes have come; exported as `lb4-balancer/proxy-protocol`.
 * How: it keeps no state. The caller passes all bytes from the first one on, each time more of them have come. What is
 * looked at again is bounded: 107 bytes of a line, 16 bytes of version 2 before all of it is there.
 * Invariants:
 * - Pure, and never throws, whatever the bytes.
 * - What it says of some bytes stays true when more come; only 'incomplete' is followed by something else.
 * - Bytes behind the header are not looked at.
 * - A header of version 2 with a checksum that is wrong is no header.
 */
import {
  V1_MAX_BYTES,
  V2_FIXED_BYTES,
  V2_MAX_BYTES,
  V2_SIGNATURE,
  type ProxyHeader,
  type ProxyProblem,
} from './header.ts';
import { parseV1 } from './parse-v1.ts';
import { parseV2 } from './parse-v2.ts';

export type ParsedProxyHeader =
  /** `bytes`: the length of the header; what follows is the sender's own. */
  | { readonly kind: 'header'; readonly header: ProxyHeader; readonly bytes: number }
  /** `bytes`: how many in all are needed to go on, or may be. */
  | { readonly kind: 'incomplete'; readonly bytes: number }
  /** The bytes are no header, and do not begin like one. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'invalid'; readonly problem: ProxyProblem };

const V1_PREFIX: readonly number[] = [...Buffer.from('PROXY ')];
/** What follows it is to be ignored, whatever it is, until CRLF (section 2.1 of the specification). */
const V1_UNKNOWN: readonly number[] = [...Buffer.from('PROXY UNKNOWN ')];
const CR = 0x0d;
const LF = 0x0a;
const [FIRST_PRINTABLE, LAST_PRINTABLE] = [0x20, 0x7e];

const ABSENT: ParsedProxyHeader = Object.freeze({ kind: 'absent' });

export function parseProxyHeader(bytes: Uint8Array): ParsedProxyHeader {
  if (bytes[0] === V2_SIGNATURE[0]) {
    return beginsWith(bytes, V2_SIGNATURE) ? whenWhole(bytes) : ABSENT;
  }
  return beginsWith(bytes, V1_PREFIX) ? lineOf(bytes) : ABSENT;
}

/** As far as the bytes go. */
function beginsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  const length = Math.min(bytes.length, prefix.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}

function invalid(problem: ProxyProblem): ParsedProxyHeader {
  return { kind: 'invalid', problem };
}

/** Version 1: one line. */
function lineOf(bytes: Uint8Array): ParsedProxyHeader {
  const length = Math.min(bytes.length, V1_MAX_BYTES);
  for (let i = V1_PREFIX.length; i < length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte >= FIRST_PRINTABLE && byte <= LAST_PRINTABLE) continue;
    const isIgnored = i >= V1_UNKNOWN.length && beginsWith(bytes, V1_UNKNOWN);
    if (isIgnored && (byte !== CR || (i + 1 < length && bytes[i + 1] !== LF))) continue;
    if (byte !== CR || i + 1 >= V1_MAX_BYTES) return invalid(isIgnored ? 'tooLong' : 'malformed');
    if (i + 1 === length) break;
    if (bytes[i + 1] !== LF) return invalid('malformed');
    const header = parseV1(String.fromCharCode(...bytes.subarray(V1_PREFIX.length, i)));
    return header === undefined ? invalid('malformed') : { kind: 'header', header, bytes: i + 2 };
  }
  return length < V1_MAX_BYTES ? { kind: 'incomplete', bytes: V1_MAX_BYTES } : invalid('tooLong');
}

/** Version 2: its length is known from the first 16 bytes on. */
function whenWhole(bytes: Uint8Array): ParsedProxyHeader {
  const version = bytes[12];
  if (version !== undefined && version >> 4 !== 2) return invalid('malformed');
  if (bytes.length < V2_FIXED_BYTES) return { kind: 'incomplete', bytes: V2_FIXED_BYTES };
  const length = V2_FIXED_BYTES + (((bytes[14] ?? 0) << 8) | (bytes[15] ?? 0));
  if (length > V2_MAX_BYTES) return invalid('tooLong');
  if (bytes.length < length) return { kind: 'incomplete', bytes: length };
  const parsed = parseV2(bytes, length);
  return typeof parsed === 'string' ? invalid(parsed) : { kind: 'header', header: parsed, bytes: length };
}
