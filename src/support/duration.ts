/**
 * Durations as people write them: `250ms`, `5s`, `10m`, `1h`, or plain `0`.
 *
 * Place: the configuration's duration fields and every message or document that prints one.
 * Invariant: parseDuration(formatDuration(ms)) is ms, for every whole number of milliseconds ≥ 0 up to 12 digits.
 */

const UNITS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

/** The pattern of a written duration; also that of the published JSON Schema. */
export const DURATION_PATTERN = '^(0|[0-9]{1,12}(ms|s|m|h))$';
const WRITTEN = new RegExp(DURATION_PATTERN);

/** Milliseconds, or undefined when `text` is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!WRITTEN.test(text)) return undefined;
  const amount = Number.parseInt(text, 10);
  if (text.endsWith('ms')) return amount;
  if (text.endsWith('s')) return amount * UNITS.s;
  if (text.endsWith('m')) return amount * UNITS.m;
  return amount * UNITS.h;
}

/** The shortest exact text: 60000 is `1m`, 61000 is `61s`, 0 is `0`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0';
  for (const [unit, size] of Object.entries(UNITS)) {
    if (ms % size === 0) return `${String(ms / size)}${unit}`;
  }
  return `${String(ms)}ms`;
}
