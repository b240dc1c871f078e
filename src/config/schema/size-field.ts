/**
 * A size in bytes, as the configuration has it.
 *
 * Place: one of the kinds of field beside fields.ts.
 */
import * as z from 'zod';
import { fieldFacts } from './fields.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
const FORM = /^(\d{1,12})(KiB|MiB|GiB|)$/;

/** A number of bytes once parsed, from `min` to `max`. */
export function size(min: number, max: number) {
  const range = `${formatSize(min)} to ${formatSize(max)}`;
  const error = `a size such as 64KiB or 1MiB, from ${range}`;
  return z
    .union([z.string(), z.number()], { error })
    .transform((value, context) => {
      const [, digits = '', unit = ''] = FORM.exec(String(value)) ?? [];
      const bytes = digits === '' ? NaN : Number(digits) * (UNITS[unit] ?? NaN);
      if (bytes >= min && bytes <= max) return bytes;
      context.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    })
    .meta({ anyOf: [{ type: 'string', pattern: FORM.source }, { type: 'integer', minimum: min, maximum: max }] })
    .register(fieldFacts, { type: 'size', range });
}

function formatSize(bytes: number): string {
  const [unit = '', of = 1] = Object.entries(UNITS).findLast(([, of]) => bytes % of === 0) ?? [];
  return `${bytes / of}${unit}`;
}
