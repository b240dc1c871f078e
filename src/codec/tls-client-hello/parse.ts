/**
 * Finds a TLS ClientHello in the first bytes of a connection: it may lie in several records.
 *
 * Place: a gate of the admission asks it each time more bytes have come.
 * How: it keeps no state. The caller passes all bytes from the first one on, each time more of them have come; until
 * the message is whole only its head and those of its records are looked at, and nothing is allocated.
 * Invariants:
 * - Pure, and never throws, whatever the bytes.
 * - What it says of some bytes stays true when more come; only 'incomplete' is followed by something else.
 * - Bytes behind the message are not looked at.
 */
import { HELLO_MAX_BYTES, HELLO_MAX_BYTES_IN_RECORDS, type ClientHello, type HelloProblem } from './hello.ts';
import { parseMessage } from './parse-message.ts';

export type ParsedClientHello =
  /** `bytes`: where the message ends. */
  | { readonly kind: 'hello'; readonly hello: ClientHello; readonly bytes: number }
  /** `bytes`: how many in all are needed to go on: always more than there are. */
  | { readonly kind: 'incomplete'; readonly bytes: number }
  /** The bytes are not TLS: known at the first one that differs. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'invalid'; readonly problem: HelloProblem };

/** Of a record (RFC 8446 5.1): its type, the version that it claims, its length. */
const RECORD_HEAD = 5;
const HANDSHAKE = 22;
/** Of each version of TLS, and of SSL 3.0. */
const MAJOR_VERSION = 3;
const RECORD_MAX_BYTES = 2 ** 14;
/** Of a message (RFC 8446 4): its type and its length. */
const MESSAGE_HEAD = 4;
const CLIENT_HELLO = 1;

const ABSENT: ParsedClientHello = Object.freeze({ kind: 'absent' });

export function parseClientHello(bytes: Uint8Array): ParsedClientHello {
  /** Of the message: how many bytes the records so far have, its head, and its length with the head. */
  let found = 0;
  let head = 0;
  let length = MESSAGE_HEAD;
  let at = 0;
  for (;;) {
    const start = at + RECORD_HEAD;
    if (!beginsLikeRecord(bytes, at)) return at === 0 ? ABSENT : invalid('malformed');
    // A record has at least one byte.
    if (bytes.length < start) return incomplete(start + 1);
    const size = uint16(bytes, at + 3);
    if (size === 0 || size > RECORD_MAX_BYTES) return invalid('malformed');
    const end = start + size;
    const here = Math.min(end, bytes.length) - start;
    for (let i = 0; i < here && found + i < MESSAGE_HEAD; i++) {
      head = (head << 8) | uint8(bytes, start + i);
      if (found + i === 0 && head !== CLIENT_HELLO) return invalid('otherMessage');
      if (found + i === MESSAGE_HEAD - 1) length += head & 0xffffff;
    }
    if (length > MESSAGE_HEAD + HELLO_MAX_BYTES) return invalid('tooLong');
    const last = start + length - found;
    // More records are needed: the head of the next one, and a byte of it.
    const needed = Math.min(last, end + RECORD_HEAD + 1);
    if (needed > HELLO_MAX_BYTES_IN_RECORDS) return invalid('tooLong');
    if (last <= end && last <= bytes.length && found + here >= MESSAGE_HEAD)
      return whole(bytes, last, length);
    if (bytes.length < end) return incomplete(needed);
    found += here;
    at = end;
  }
}

/** As far as the bytes go. */
function beginsLikeRecord(bytes: Uint8Array, at: number): boolean {
  return (bytes[at] ?? HANDSHAKE) === HANDSHAKE && (bytes[at + 1] ?? MAJOR_VERSION) === MAJOR_VERSION;
}

function incomplete(bytes: number): ParsedClientHello {
  return { kind: 'incomplete', bytes };
}

function invalid(problem: HelloProblem): ParsedClientHello {
  return { kind: 'invalid', problem };
}

function whole(bytes: Uint8Array, end: number, length: number): ParsedClientHello {
  const hello = parseMessage(messageIn(bytes, length).subarray(MESSAGE_HEAD));
  return typeof hello === 'string' ? invalid(hello) : { kind: 'hello', hello, bytes: end };
}

/** The message of this length, without the heads of the records; all of it is there. */
function messageIn(bytes: Uint8Array, length: number): Uint8Array {
  const sizeOfFirst = uint16(bytes, 3);
  if (sizeOfFirst >= length) return bytes.subarray(RECORD_HEAD, RECORD_HEAD + length);
  const message = new Uint8Array(length);
  let at = 0;
  for (let found = 0; found < length;) {
    const start = at + RECORD_HEAD;
    const size = Math.min(uint16(bytes, at + 3), length - found);
    message.set(bytes.subarray(start, start + size), found);
    found += size;
    at = start + size;
  }
  return message;
}

function uint8(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function uint16(bytes: Uint8Array, at: number): number {
  return (uint8(bytes, at) << 8) | uint8(bytes, at + 1);
}
