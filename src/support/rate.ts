/**
 * Rates as people write them: `50/s`, `300/m`, `1000/h`.
 *
 * Place: the configuration's rate fields, and the plans that are made of them.
 */

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** The pattern of a written rate; also that of the published JSON Schema. */
export const RATE_PATTERN = '^[1-9][0-9]{0,6}/[smh]$';
const WRITTEN = /^([1-9][0-9]{0,6})\/([smh])$/;

export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

/** Undefined when `text` is not a rate. */
export function parseRate(text: string): Rate | undefined {
  const [, count, unit] = WRITTEN.exec(text) ?? [];
  if (count === undefined || (unit !== 's' && unit !== 'm' && unit !== 'h')) return undefined;
  return { count: Number(count), perMs: UNITS[unit] };
}
