/**
 * Values that come in text, in a query or a body, each with what it expects in plain words.
 *
 * Place: the schemas of routes are made of these.
 */
import * as z from 'zod';
import { DURATION_PATTERN, parseDuration } from '../support/duration.ts';
import { parseNetwork } from '../support/network.ts';

const WEEK_MS = 7 * 86_400_000;
const UNITS: Readonly<Record<string, number>> = {
  ...{ '': 1, B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
};

/** Any text. */
export function text(what: string) {
  const error = `${what}, at most 300 characters`;
  return z.string({ error }).min(1, { error }).max(300, { error });
}

/** Milliseconds. */
export function duration(leastMs = 0, mostMs = WEEK_MS) {
  const isAny = leastMs === 0 && mostMs === WEEK_MS;
  const between = isAny ? '' : `, from ${leastMs / 1_000}s to ${mostMs / 1_000}s`;
  const error = `a duration such as 250ms, 5s, 10m or 1h${between}`;
  return z
    .string({ error })
    .transform((value, context) => {
      const ms = parseDuration(value);
      if (ms !== undefined && ms >= leastMs && ms <= mostMs) return ms;
      context.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    })
    .meta({ pattern: DURATION_PATTERN });
}

/** A number of bytes. */
export function size() {
  const error = 'a number of bytes such as 4096, 64KiB or 1MiB';
  return z
    .string({ error })
    .transform((value, context) => {
      const [, digits = '', unit = ''] = /^(\d{1,15})([kKMGT]i?B|B)?$/.exec(value) ?? [];
      const bytes = Number(digits) * (UNITS[unit] ?? NaN);
      if (digits !== '' && Number.isSafeInteger(bytes)) return bytes;
      context.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    })
    .meta({ pattern: '^[0-9]+([kKMGT]i?B|B)?$' });
}

/** A number in a query. */
export function numeral(min: number, max: number) {
  const error = `an integer from ${min} to ${max}`;
  return z
    .string({ error })
    .transform((value, context) => {
      const number = /^\d{1,9}$/.test(value) ? Number(value) : -1;
      if (number >= min && number <= max) return number;
      context.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    })
    .meta({ pattern: '^[0-9]{1,9}$' });
}

/** In a query: `?force`, `?force=true`; in words of the environment, too. */
export function flag() {
  return z
    .enum(['', 'true', '1', 'false', '0'], { error: 'true or false' })
    .transform(value => ['', 'true', '1'].includes(value));
}

/** An IP address, or a network. */
export function network() {
  const error = 'an IP address or a network, such as 10.0.0.7, 10.0.0.0/8 or fd00::/8';
  return z.string({ error }).refine(value => parseNetwork(value) !== undefined, { error });
}

export function integer(min: number, max: number) {
  const error = `an integer from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}
