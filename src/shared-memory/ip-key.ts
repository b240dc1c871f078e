/**
 * A client's IP address as four words, the same for every way to write it.
 *
 * Place: the key of the sticky table. An IPv4 address and the IPv6 address mapped from it are one client; a zone is
 * left out. Clients of unix sockets have no address, and so no key.
 * Why not with `support/ip-bytes.ts`: this runs for every session, and cutting an IPv6 address up into texts and lists
 * of bytes takes 5 µs, ten times as long as the look-up itself.
 */
import { isIPv6 } from 'node:net';

const COLON = 58;
const DOT = 46;
const PERCENT = 37;
const ZERO = 48;
const NINE = 57;
/** From the code of a small letter to the value of the digit. */
const LETTERS = 97 - 10;
const LOWER_CASE = 32;
const MAPPED = 0xffff;

const groups = new Uint16Array(8);

/** Writes the 16 bytes of an address into `key`, as four words; false when the text is no address. */
export function ipKey(text: string, key: Int32Array): boolean {
  if (text.includes(':')) return ipv6Key(text, key);
  const word = ipv4Word(text, 0);
  if (word === undefined) return false;
  key[0] = 0;
  key[1] = 0;
  key[2] = MAPPED;
  key[3] = word;
  return true;
}

/** The dotted address from `start` to the end of the text or to a zone. */
function ipv4Word(text: string, start: number): number | undefined {
  let word = 0;
  let part = -1;
  let parts = 1;
  for (let i = start; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === PERCENT && start > 0) break;
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
  // After this check the form is certain. Without the zone, because Node accepts fewer zones than the kernel.
  const zoneAt = text.indexOf('%');
  if (!isIPv6(zoneAt < 0 ? text : text.slice(0, zoneAt))) return false;
  let count = 0;
  let gap = 8;
  let value = 0;
  let start = 0;
  let i = 0;
  for (; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === PERCENT) break;
    if (char === COLON) {
      if (i > start) groups[count++] = value;
      else if (i > 0) gap = count;
      value = 0;
      start = i + 1;
    } else if (char === DOT) {
      const word = ipv4Word(text, start) ?? 0;
      groups[count++] = word >>> 16;
      value = word & 0xffff;
      break;
    } else {
      value = (value << 4) | (char <= NINE ? char - ZERO : (char | LOWER_CASE) - LETTERS);
    }
  }
  if (i > start) groups[count++] = value;
  // Moves the groups behind the gap to the end, and fills the gap with zeros.
  const tail = 8 - Math.max(count - gap, 0);
  groups.copyWithin(tail, gap, count);
  groups.fill(0, gap, tail);
  for (let word = 0; word < 4; word++) {
    key[word] = ((groups[2 * word] ?? 0) << 16) | (groups[2 * word + 1] ?? 0);
  }
  return true;
}
