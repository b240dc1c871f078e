/**
 * The buckets of a histogram of times: eight for each power of two, which are those of Prometheus' native histograms of
 * schema 3.
 *
 * Place: the layout gives each histogram its range, data planes find the cell of a value, readers its bounds.
 * Rule: the bucket with number i of the schema has what is greater than 2^((i-1)/8) seconds and at most 2^(i/8). Here
 * the first bucket also has all that is smaller, and the last one all that is greater. So a bound that is a power of two
 * is exact, and quantiles are off by at most 9 %.
 */

const PER_POWER = 8;

/** From 2^`lowest` to 2^`highest` seconds. */
export interface Range {
  readonly lowest: number;
  readonly highest: number;
}

/** Up to the lowest bound, between the bounds, and beyond the highest one. */
export function bucketsOf({ lowest, highest }: Range): number {
  return (highest - lowest) * PER_POWER + 2;
}

/** The bucket of a time in seconds, from 0 on. */
export function bucketOf({ lowest, highest }: Range, seconds: number): number {
  const index = schemaIndexOf(seconds) - lowest * PER_POWER;
  // Also for what is no number.
  if (!(index > 0)) return 0;
  return Math.min(index, (highest - lowest) * PER_POWER + 1);
}

/** A double, and its upper half: sign, exponent, and the first twenty bits of the fraction. */
const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);
const UPPER = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;
/** For the first eight bits of a fraction: the bucket, within its power of two, in which the lowest such number is. */
const WITHIN = Uint8Array.from({ length: 256 }, (_, bits) =>
  Math.ceil(Math.log2(1 + bits / 256) * PER_POWER),
);
/** The upper bounds of the buckets within a power of two. */
const BOUNDS = Float64Array.from({ length: PER_POWER + 1 }, (_, index) => 2 ** (index / PER_POWER));

/** The same as `Math.ceil(Math.log2(value) * 8)`, in a quarter of the time: most of what counting costs. */
function schemaIndexOf(value: number): number {
  double[0] = value;
  const upper = halves[UPPER] ?? 0;
  const within = WITHIN[(upper >>> 12) & 0xff] ?? 0;
  // The fraction, from 1 to 2.
  halves[UPPER] = (upper & 0xfffff) | 0x3ff00000;
  const isAbove = double[0] > (BOUNDS[within] ?? 0);
  return ((upper >>> 20) - 1023) * PER_POWER + within + (isAbove ? 1 : 0);
}

/** The upper bound of a bucket in seconds; Infinity for the last one. */
export function boundOf(range: Range, bucket: number): number {
  if (bucket >= bucketsOf(range) - 1) return Infinity;
  // Of the same numbers as in `schemaIndexOf`, to the last bit.
  const within = bucket % PER_POWER;
  return 2 ** (range.lowest + (bucket - within) / PER_POWER) * (BOUNDS[within] ?? 1);
}

/** The number that the schema gives to a bucket. */
export function numberOf({ lowest }: Range, bucket: number): number {
  return lowest * PER_POWER + bucket;
}

/** The bucket whose upper bound is 2^`power` seconds. */
export function bucketUpTo({ lowest }: Range, power: number): number {
  return (power - lowest) * PER_POWER;
}
