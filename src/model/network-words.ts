/**
 * Many networks, without an object for each: four words of the address and a number of bits.
 *
 * Place: what lists of `access` are read into. IPv4 networks stand here as the IPv6 networks that are mapped from them.
 */
import { ipKey } from '../shared-memory/ip-key.ts';
import { parseNetwork } from '../support/network.ts';

const WORDS = 4;
/** IPv4 addresses are the last 32 bits of keys. */
const IPV4_AT = 96;
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

  /** Adds an IPv4 network. */
  addIPv4(address: number, bits: number): void {
    this.#add(0, 0, 0xffff, address, IPV4_AT + bits);
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
