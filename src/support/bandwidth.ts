/**
 * Bandwidths as people write them: `10MiB/s`, `500kB/s`. Always bytes, never bits.
 *
 * Place: the configuration's bandwidth fields and every message or document that prints one.
 * Invariant: parseBandwidth(formatBandwidth(n)) is n, for every whole number of bytes from 1 to 12 digits.
 */

/** The first that divides a number writes it: powers of two, then of ten. */
const UNITS: Readonly<Record<string, number>> = {
  ...{ GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10 },
  ...{ GB: 1e9, MB: 1e6, kB: 1e3, B: 1 },
};

/** The pattern of a written bandwidth; also that of the published JSON Schema. */
export const BANDWIDTH_PATTERN = '^[0-9]{1,12}([KMG]iB|[kMG]B|B)/s$';
const WRITTEN = new RegExp(BANDWIDTH_PATTERN);

/** Bytes per second, or undefined when `text` is not a bandwidth. */
export function parseBandwidth(text: string): number | undefined {
  const [, unit = ''] = WRITTEN.exec(text) ?? [];
  const bytes = UNITS[unit];
  return bytes === undefined ? undefined : Number.parseInt(text, 10) * bytes;
}

/** The shortest exact text: 1048576 is `1MiB/s`, 1000 is `1kB/s`. */
export function formatBandwidth(bytes: number): string {
  for (const [unit, size] of Object.entries(UNITS)) {
    if (bytes % size === 0) return `${String(bytes / size)}${unit}/s`;
  }
  return `${String(bytes)}B/s`;
}
