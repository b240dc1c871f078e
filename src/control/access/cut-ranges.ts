/**
 * Networks in order → ranges that lie side by side, each with what the first rule says that has it.
 *
 * Place: a part of build-access.ts.
 * How: two networks are apart, or one is within the other. So those that an address is in form a stack while the
 * addresses are walked through from the lowest one, and each knows the first rule of all below it.
 */
import { rangeTable, type RangeTable } from '../../shared-memory/range-table.ts';
import type { Sliced } from '../../support/slices.ts';
import type { SortedNetworks } from './sorted-networks.ts';

/** Networks that are looked at in a slice. */
const SLICE = 1_024;

/**
 * @param decisions of each rule
 * @param otherwise of addresses that no rule has
 */
export function* cutIntoRanges(
  { wordsPerKey, starts, bits, rules }: SortedNetworks,
  decisions: readonly number[],
  otherwise: number,
): Sliced<RangeTable> {
  const ranges = new Ranges(wordsPerKey, 2 * bits.length + 1);
  const stack = new Nested(wordsPerKey, decisions.length);
  const decided = (): number => decisions[stack.rule] ?? otherwise;
  const leave = (): void => {
    const end = stack.pop();
    if (end !== undefined) ranges.begin(end, 0, decided());
  };
  ranges.begin(new Uint32Array(wordsPerKey), 0, otherwise);
  for (let i = 0; i < bits.length; i++) {
    if (i % SLICE === SLICE - 1) yield;
    const at = i * wordsPerKey;
    while (stack.endsBefore(starts, at)) leave();
    stack.push(starts, at, bits[i] ?? 0, rules[i] ?? 0);
    ranges.begin(starts, at, decided());
  }
  while (stack.depth > 0) leave();
  yield;
  return ranges.table();
}

/** The networks that the current address is in, from the widest to the narrowest. */
class Nested {
  depth = 0;
  readonly #words: number;
  /** The first address behind each; of no use where that would be behind the last address. */
  readonly #ends: Uint32Array;
  readonly #isEndless: boolean[] = [];
  /** The first rule of it and of all around it. */
  readonly #rules: number[] = [];
  readonly #noRule: number;

  constructor(wordsPerKey: number, rules: number) {
    this.#words = wordsPerKey;
    this.#ends = new Uint32Array(wordsPerKey * (32 * wordsPerKey + 1));
    this.#noRule = rules;
  }

  /** The rule that decides here; beyond the last one: none. */
  get rule(): number {
    return this.#rules[this.depth - 1] ?? this.#noRule;
  }

  push(starts: Uint32Array, at: number, bits: number, rule: number): void {
    const words = this.#words;
    const end = words * this.depth;
    let carry = 1;
    for (let word = words - 1; word >= 0; word--) {
      // The network's own bits in this word.
      const own = Math.min(Math.max(bits - 32 * word, 0), 32);
      const start = starts[at + word] ?? 0;
      const sum = own === 0 ? 0 : start + carry * 2 ** (32 - own);
      this.#ends[end + word] = sum;
      if (own > 0) carry = sum > 0xffff_ffff ? 1 : 0;
    }
    this.#isEndless[this.depth] = carry === 1;
    this.#rules.length = this.depth;
    this.#rules.push(Math.min(this.rule, rule));
    this.depth += 1;
  }

  /** The innermost one does not reach to an address. */
  endsBefore(address: Uint32Array, at: number): boolean {
    if (this.depth === 0 || this.#isEndless[this.depth - 1] === true) return false;
    const end = this.#words * (this.depth - 1);
    for (let word = 0; word < this.#words; word++) {
      const difference = (this.#ends[end + word] ?? 0) - (address[at + word] ?? 0);
      if (difference !== 0) return difference < 0;
    }
    return true;
  }

  /** Leaves the innermost one. Returns the first address behind it, undefined where there is none. */
  pop(): Uint32Array | undefined {
    this.depth -= 1;
    this.#rules.length = this.depth;
    if (this.#isEndless[this.depth] === true) return undefined;
    return this.#ends.subarray(this.#words * this.depth, this.#words * (this.depth + 1));
  }
}

/** Ranges as they begin, one after the other. */
class Ranges {
  readonly #words: number;
  readonly #starts: Uint32Array;
  readonly #numbers: Uint8Array;
  #length = 0;

  constructor(wordsPerKey: number, most: number) {
    this.#words = wordsPerKey;
    this.#starts = new Uint32Array(wordsPerKey * most);
    this.#numbers = new Uint8Array(most);
  }

  /** From this address on, up to the next call's. The last one for an address counts. */
  begin(address: Uint32Array, at: number, number: number): void {
    if (this.#length > 0 && this.#beginsAt(address, at)) this.#length -= 1;
    if (this.#length > 0 && this.#numbers[this.#length - 1] === number) return;
    for (let word = 0; word < this.#words; word++)
      this.#starts[this.#words * this.#length + word] = address[at + word] ?? 0;
    this.#numbers[this.#length++] = number;
  }

  table(): RangeTable {
    const starts = this.#starts.subarray(0, this.#words * this.#length);
    return rangeTable(this.#words, starts, this.#numbers.subarray(0, this.#length));
  }

  /** The last range does. */
  #beginsAt(address: Uint32Array, at: number): boolean {
    const last = this.#words * (this.#length - 1);
    for (let word = 0; word < this.#words; word++)
      if (this.#starts[last + word] !== address[at + word]) return false;
    return true;
  }
}
