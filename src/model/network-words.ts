/**
 * Many networks, without an object for each: four words of the address and a number of bits.
 *
 * Place: what lists of `access` are read into. IPv4 networks stand here as the IPv6 networks that are mapped from them.
 */
import { ipKey } from '../shared-memory/ip-key.ts';
import { formatIPv4, formatIPv6 } from '../support/ip-bytes.ts';
import { parseNetwork } from '../support/network.ts';

const WORDS = 4;
/** IPv4 addresses are the last 32 bits of keys. */
const IPV4_AT = 96;
const MAPPED = 0xffff;
const FIRST_ROOM = 1;

export class NetworkWords {
  #words = new Uint32Array(WORDS * FIRST_ROOM);
  #bits = new Uint8Array(FIRST_ROOM);
  #length = 0;
  readonly #key = new Int32Array(WORDS);

  get length(): number {
    return this.#length;
  }

  /** Four words for each, the bits behind the network's own as they were written. */
  get words(): Uint32Array {
    return this.#words.subarray(0, WORDS * this.#length);
  }

  /** Leading bits that count, out of 128. */
  get bits(): Uint8Array {
    return this.#bits.subarray(0, this.#length);
  }

  /** Adds a network as text; false: the text is none. */
  add(text: string): boolean {
    const network = parseNetwork(text);
    if (network === undefined || !ipKey(network.address, this.#key)) return false;
    const [a = 0, b = 0, c = 0, d = 0] = this.#key;
    this.#add(a, b, c, d, network.address.includes(':') ? network.bits : IPV4_AT + network.bits);
    return true;
  }

  /** The number of the first network that an IP address is in; undefined: it is in none. Looks at one after the other. */
  holding(address: string): number | undefined {
    if (!ipKey(address, this.#key)) return undefined;
    const key = Uint32Array.from(this.#key);
    for (let i = 0; i < this.#length; i++) {
      const bits = this.#bits[i] ?? 0;
      const isSame = key.every((word, at) => {
        const own = Math.min(Math.max(bits - 32 * at, 0), 32);
        const differs = own === 0 ? 0 : (word ^ (this.#words[WORDS * i + at] ?? 0)) >>> (32 - own);
        return differs === 0;
      });
      const isWider = isIPv4(key) && bits < IPV4_AT;
      if (isSame && !isWider) return i;
    }
    return undefined;
  }

  /** Network number `i`, as text. */
  textAt(i: number): string {
    return textOf(this.#words.subarray(WORDS * i, WORDS * (i + 1)), this.#bits[i] ?? 0);
  }

  /** The same without the bits behind its own; undefined: it has none. */
  wholeAt(i: number): string | undefined {
    const bits = this.#bits[i] ?? 0;
    const words = this.#words.subarray(WORDS * i, WORDS * (i + 1));
    const whole = words.map((word, at) => {
      const own = bits - 32 * at;
      if (own >= 32) return word;
      return own <= 0 ? 0 : word & (-1 << (32 - own));
    });
    return whole.some((word, at) => word !== words[at]) ? textOf(whole, bits) : undefined;
  }

  /** Adds an IPv4 network. */
  addIPv4(address: number, bits: number): void {
    this.#add(0, 0, MAPPED, address, IPV4_AT + bits);
  }

  #add(a: number, b: number, c: number, d: number, bits: number): void {
    const at = WORDS * this.#length;
    if (at === this.#words.length) this.#grow();
    const words = this.#words;
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
    this.#bits[this.#length++] = bits;
  }

  #grow(): void {
    const [words, bits] = [this.#words, this.#bits];
    this.#words = new Uint32Array(2 * words.length);
    this.#words.set(words);
    this.#bits = new Uint8Array(2 * bits.length);
    this.#bits.set(bits);
  }
}

function isIPv4(words: Uint32Array): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === MAPPED;
}

function textOf(words: Uint32Array, bits: number): string {
  const bytes = new Uint8Array(4 * WORDS);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < WORDS; i++) view.setUint32(4 * i, words[i] ?? 0);
  if (isIPv4(words) && bits >= IPV4_AT) return `${formatIPv4(bytes, 12)}/${bits - IPV4_AT}`;
  return `${formatIPv6(bytes, 0)}/${bits}`;
}
