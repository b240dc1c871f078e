/**
 * A few networks, and whether an address is in one of them.
 *
 * Place: gates ask it for each client, queries for each session. It looks at one network after the other, so it is for short lists.
 * Invariants, as in access-list.ts:
 * - IPv4 addresses are the same as IPv6 addresses that are mapped ones.
 * - Wider networks of IPv6, such as `::/0`, have no IPv4 address.
 */
import { ipKey } from '../shared-memory/ip-key.ts';
import { parseNetwork } from '../support/network.ts';

const WORDS = 4;
/** IPv4 addresses are the last 32 bits of keys, behind these words. */
const IPV4_AT = 96;
const MAPPED = 0xffff;

/** Stands for clients of unix sockets in a list of networks. */
export const UNIX = 'unix';

export class Networks {
  /** Four words of the address, then four of the mask, for each. */
  readonly #words: Int32Array;
  readonly #hasUnix: boolean;
  readonly #key = new Int32Array(WORDS);

  /** `texts`: networks as configured. */
  constructor(texts: readonly string[]) {
    this.#hasUnix = texts.includes(UNIX);
    this.#words = Int32Array.from(texts.flatMap(text => wordsOf(text)));
  }

  /** `address`: an IP address, or '' for a unix socket. */
  has(address: string): boolean {
    if (address === '') return this.#hasUnix;
    const key = this.#key;
    if (!ipKey(address, key)) return false;
    const words = this.#words;
    const isIPv4 = key[0] === 0 && key[1] === 0 && key[2] === MAPPED;
    for (let at = 0; at < words.length; at += 2 * WORDS) {
      const isForIPv4 = words[at + WORDS + 2] === -1;
      if (isIPv4 && !isForIPv4) continue;
      if (isIn(key, words, at)) return true;
    }
    return false;
  }
}

function isIn(key: Int32Array, words: Int32Array, at: number): boolean {
  for (let i = 0; i < WORDS; i++) {
    const differs = (key[i] ?? 0) ^ (words[at + i] ?? 0);
    if ((differs & (words[at + WORDS + i] ?? 0)) !== 0) return false;
  }
  return true;
}

function wordsOf(text: string): number[] {
  const network = parseNetwork(text);
  const key = new Int32Array(WORDS);
  if (network === undefined || !ipKey(network.address, key)) return [];
  const bits = network.address.includes(':') ? network.bits : IPV4_AT + network.bits;
  const mask = Array.from({ length: WORDS }, (_, i) => {
    const left = Math.min(Math.max(bits - 32 * i, 0), 32);
    return left === 0 ? 0 : -1 << (32 - left);
  });
  return [...key, ...mask];
}
