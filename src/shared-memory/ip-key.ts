/**
 * A client's IP address as four words, the same for every way to write it.
 *
 * Place: the key of the sticky table. An IPv4 address and the same one in IPv6 clothes are one client; a zone is left
 * out. Clients of unix sockets have no address, and so no key.
 */
import { isIPv6 } from 'node:net';
import { bytesOfIPv6 } from '../support/ip-bytes.ts';

const DOT = 46;
const ZERO = 48;
const MAPPED = 0xffff;

/** Writes the 16 bytes of an address into `key`; false when the text is none. */
export function ipKey(text: string, key: Int32Array): boolean {
  if (text.includes(':')) return ipv6Key(text, key);
  const word = ipv4Word(text);
  if (word === undefined) return false;
  key[0] = 0;
  key[1] = 0;
  key[2] = MAPPED;
  key[3] = word;
  return true;
}

/** Reads digits itself: this is asked for every session, and cutting the text up costs more than the look-up. */
function ipv4Word(text: string): number | undefined {
  let word = 0;
  let part = -1;
  let parts = 1;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === DOT) {
      if (part < 0) return undefined;
      word = (word << 8) | part;
      part = -1;
      parts += 1;
    } else {
      const digit = char - ZERO;
      if (digit < 0 || digit > 9) return undefined;
      part = part < 0 ? digit : part * 10 + digit;
      if (part > 255) return undefined;
    }
  }
  return parts === 4 && part >= 0 ? (word << 8) | part : undefined;
}

function ipv6Key(text: string, key: Int32Array): boolean {
  if (!isIPv6(text)) return false;
  const bytes = bytesOfIPv6(text);
  for (let i = 0; i < 4; i++) {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(4 * i, 4 * i + 4);
    key[i] = (a << 24) | (b << 16) | (c << 8) | d;
  }
  return true;
}
