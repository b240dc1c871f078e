/**
 * All addresses of one family, cut into ranges that lie side by side, each with a number, and how to find the range that
 * an address is in.
 *
 * Place: control builds it (control/access/), every data plane looks addresses up in the same memory. It is never
 * changed: another list is another table.
 * How: an index says which few ranges an address can be in, by where its highest 53 bits lie between the first range's
 * end and the last one's beginning. A binary search over all ranges takes five times as long: it jumps through more
 * memory than a processor's cache holds, and none of its jumps can be foreseen.
 * Invariants:
 * - The ranges are in order, the first one begins at the lowest address, and each ends where the next one begins.
 * - Neighbours have different numbers.
 */

/** Plain values, over shared memory where they are many: can be posted without a copy. */
export interface RangeTable {
  /** 32-bit words of an address: 1 or 4. */
  readonly wordsPerKey: number;
  /** Where each range begins, the highest word first. */
  readonly starts: Uint32Array;
  /** One for each range. */
  readonly numbers: Uint8Array;
  /** For each bucket the last range that begins in an earlier one; then the last range of all. */
  readonly index: Uint32Array;
  /** The bucket of an address: how far its lead is above `base`, times `scale`. */
  readonly base: number;
  readonly scale: number;
}

const MOST_BUCKETS = 65_536;

/** Gives ranges an index, and puts all into memory that threads can share. */
export function rangeTable(
  wordsPerKey: number,
  begins: Uint32Array,
  numbersOfRanges: Uint8Array,
): RangeTable {
  const count = numbersOfRanges.length;
  const buckets = Math.min(2 ** Math.floor(Math.log2(count)), MOST_BUCKETS);
  const words = begins.length + buckets + 1;
  const memory = new SharedArrayBuffer(4 * words + count);
  const starts = new Uint32Array(memory, 0, begins.length);
  const index = new Uint32Array(memory, 4 * begins.length, buckets + 1);
  const numbers = new Uint8Array(memory, 4 * words, count);
  starts.set(begins);
  numbers.set(numbersOfRanges);
  const leadOf = (range: number): number => lead(starts, range * wordsPerKey, wordsPerKey);
  const base = count > 1 ? leadOf(1) : 0;
  const span = leadOf(count - 1) - base;
  const scale = span > 0 ? buckets / span : 0;
  let range = 0;
  for (let bucket = 1; bucket < buckets; bucket++) {
    while (range + 1 < count && bucketOf(leadOf(range + 1), base, scale, buckets) < bucket) range += 1;
    index[bucket] = range;
  }
  index[buckets] = count - 1;
  return { wordsPerKey, starts, numbers, index, base, scale };
}

/**
 * The number of the range that an address is in.
 * @param key holds the address from `at` on
 */
export function numberIn(table: RangeTable, key: Uint32Array, at: number): number {
  const { wordsPerKey, starts, numbers, index, base, scale } = table;
  const bucket = bucketOf(lead(key, at, wordsPerKey), base, scale, index.length - 1);
  // Of the ranges from `low` on, before `high`, one is the right one.
  let low = index[bucket] ?? 0;
  let high = (index[bucket + 1] ?? 0) + 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (isAtMost(starts, middle * wordsPerKey, key, at, wordsPerKey)) low = middle;
    else high = middle;
  }
  return numbers[low] ?? 0;
}

/** The highest 53 bits, as a number. */
function lead(words: Uint32Array, at: number, wordsPerKey: number): number {
  const first = words[at] ?? 0;
  return wordsPerKey === 1 ? first : first * 2 ** 21 + ((words[at + 1] ?? 0) >>> 11);
}

/** Never less for a greater lead. */
function bucketOf(of: number, base: number, scale: number, buckets: number): number {
  const bucket = Math.floor((of - base) * scale);
  return Math.min(Math.max(bucket, 0), buckets - 1);
}

/** Whether the address at one place is at most the one at another. */
function isAtMost(
  one: Uint32Array,
  oneAt: number,
  other: Uint32Array,
  otherAt: number,
  words: number,
): boolean {
  for (let i = 0; i < words; i++) {
    const a = one[oneAt + i] ?? 0;
    const b = other[otherAt + i] ?? 0;
    if (a !== b) return a < b;
  }
  return true;
}
