/**
 * The networks of all rules, by family, in the order that cutting the addresses into ranges needs: by where they begin,
 * the wider one first, then by rule.
 *
 * Place: a part of build-access.ts.
 * Why no list of objects: a file may have 100,000 networks, and a comparison of numbers that are one number each costs a
 * tenth of one of objects.
 */
import type { NetworkWords } from '../../model/network-words.ts';
import type { Sliced } from '../../support/slices.ts';

/** Networks of one family in their order, without those that an earlier one is the same as. */
export interface SortedNetworks {
  readonly wordsPerKey: number;
  /** Where each begins: its bits beyond the network's own are 0. */
  readonly starts: Uint32Array;
  readonly bits: Uint8Array;
  /** The number of its rule. */
  readonly rules: Uint16Array;
}

/** The networks of one rule. */
type Rule = readonly NetworkWords[];

const WORDS = 4;
const MAPPED = 0xffff;
const IPV4_AT = 96;
/** Parts of one number: 32 bits of an address, then these. Together they are less than 2^53. */
const BITS = 64;
/** More than a configuration may have. */
const RULES = 16_384;

/** Networks that are looked at in a slice. */
const SLICE = 1_024;

/** Of IPv4; what is left of the sets is IPv6. */
export function* sortedIPv4(rules: readonly Rule[]): Sliced<SortedNetworks> {
  const keys = new Float64Array(rules.flat().reduce((sum, { length }) => sum + length, 0));
  let count = 0;
  for (const [rule, { words, bits }] of numbered(rules)) {
    for (let i = 0; i < bits.length; i++) {
      if (i % SLICE === SLICE - 1) yield;
      if (!isIPv4(words, bits, i)) continue;
      const own = (bits[i] ?? 0) - IPV4_AT;
      const start = masked(words[WORDS * i + 3] ?? 0, own);
      keys[count++] = (start * BITS + own) * RULES + rule;
    }
  }
  yield;
  const sorted = keys.subarray(0, count).sort();
  yield;
  const networks = room(1, count);
  let length = 0;
  let before = -1;
  for (const [i, key] of sorted.entries()) {
    if (i % SLICE === SLICE - 1) yield;
    const network = Math.floor(key / RULES);
    if (network === before) continue;
    before = network;
    networks.starts[length] = Math.floor(network / BITS);
    networks.bits[length] = network % BITS;
    networks.rules[length++] = key % RULES;
  }
  return cutTo(networks, length);
}

export function* sortedIPv6(rules: readonly Rule[]): Sliced<SortedNetworks> {
  const count = rules.flat().reduce((sum, { length }) => sum + length, 0);
  const found = room(WORDS, count);
  let length = 0;
  for (const [rule, { words, bits }] of numbered(rules)) {
    for (let i = 0; i < bits.length; i++) {
      if (i % SLICE === SLICE - 1) yield;
      if (isIPv4(words, bits, i)) continue;
      const own = bits[i] ?? 0;
      for (let word = 0; word < WORDS; word++)
        found.starts[WORDS * length + word] = masked(words[WORDS * i + word] ?? 0, own - 32 * word);
      found.bits[length] = own;
      found.rules[length++] = rule;
    }
  }
  const { starts, bits, rules: numbers } = found;
  const order = yield* sortedIndexes(length, (a, b) => {
    for (let word = 0; word < WORDS; word++) {
      const difference = (starts[WORDS * a + word] ?? 0) - (starts[WORDS * b + word] ?? 0);
      if (difference !== 0) return difference;
    }
    return (bits[a] ?? 0) - (bits[b] ?? 0) || (numbers[a] ?? 0) - (numbers[b] ?? 0);
  });
  const networks = room(WORDS, length);
  let kept = 0;
  for (let at = 0; at < length; at++) {
    if (at % SLICE === SLICE - 1) yield;
    const i = order[at] ?? 0;
    if (at > 0 && isSame(starts, bits, i, order[at - 1] ?? 0)) continue;
    for (let word = 0; word < WORDS; word++)
      networks.starts[WORDS * kept + word] = starts[WORDS * i + word] ?? 0;
    networks.bits[kept] = bits[i] ?? 0;
    networks.rules[kept++] = numbers[i] ?? 0;
  }
  return cutTo(networks, kept);
}

function isSame(starts: Uint32Array, bits: Uint8Array, a: number, b: number): boolean {
  for (let word = 0; word < WORDS; word++)
    if (starts[WORDS * a + word] !== starts[WORDS * b + word]) return false;
  return bits[a] === bits[b];
}

/** The numbers from 0 to `length` - 1 in the order of `compare`, in slices: sorted runs, then merged. */
function* sortedIndexes(length: number, compare: (a: number, b: number) => number): Sliced<Uint32Array> {
  let from = Uint32Array.from({ length }, (_, i) => i);
  let into = new Uint32Array(length);
  for (let at = 0; at < length; at += SLICE) {
    from.subarray(at, at + SLICE).sort(compare);
    yield;
  }
  for (let run = SLICE; run < length; run *= 2) {
    for (let at = 0; at < length; at += 2 * run) {
      let [left, right] = [at, at + run];
      const [middle, end] = [Math.min(at + run, length), Math.min(at + 2 * run, length)];
      for (let to = at; to < end; to++) {
        if (to % SLICE === SLICE - 1) yield;
        const isLeft = left < middle && (right >= end || compare(from[left] ?? 0, from[right] ?? 0) <= 0);
        into[to] = from[isLeft ? left++ : right++] ?? 0;
      }
    }
    [from, into] = [into, from];
  }
  return from;
}

/** Each set of networks with the number of its rule. */
function numbered(rules: readonly Rule[]): (readonly [number, NetworkWords])[] {
  return rules.flatMap((sets, rule) => sets.map(set => [rule, set] as const));
}

/** A network within those that are mapped from IPv4; a wider one is one of IPv6. */
function isIPv4(words: Uint32Array, bits: Uint8Array, i: number): boolean {
  const at = WORDS * i;
  return (bits[i] ?? 0) >= IPV4_AT && words[at] === 0 && words[at + 1] === 0 && words[at + 2] === MAPPED;
}

function masked(word: number, bits: number): number {
  if (bits >= 32) return word;
  return bits <= 0 ? 0 : (word & (-1 << (32 - bits))) >>> 0;
}

function room(wordsPerKey: number, count: number): SortedNetworks {
  return {
    wordsPerKey,
    starts: new Uint32Array(wordsPerKey * count),
    bits: new Uint8Array(count),
    rules: new Uint16Array(count),
  };
}

function cutTo({ wordsPerKey, starts, bits, rules }: SortedNetworks, length: number): SortedNetworks {
  return {
    wordsPerKey,
    starts: starts.subarray(0, wordsPerKey * length),
    bits: bits.subarray(0, length),
    rules: rules.subarray(0, length),
  };
}
