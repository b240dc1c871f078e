/**
 * The kinds of field that the configuration is made of: each a zod schema that carries, as its error, what it
 * expects in plain words, so that no zod message ever reaches a user.
 *
 * Place: schema.ts puts these together; parse.ts turns their issues into ConfigIssue; scripts/generate.ts
 * reads `fieldFacts` for the reference. Invariant: every schema made here sets `error`.
 */
import { isIP } from 'node:net';
import * as z from 'zod';
import { type Address, formatAddress, parseAddress } from '../../support/address.ts';
import { DURATION_PATTERN, formatDuration, parseDuration } from '../../support/duration.ts';
import type { Finding } from '../checks/finding.ts';

/** What the reference says about a field, and whether its numbers are milliseconds, or bytes per second. */
export interface FieldFacts {
  readonly type: string;
  readonly range?: string;
  readonly duration?: true;
  readonly bandwidth?: true;
}

/** The facts of each field, by its schema. */
export const fieldFacts = z.registry<FieldFacts>();

/** What a custom check may add to its issue. */
export type IssueParams = Pick<Finding, 'withoutValue' | 'known'>;

const DURATION_FORM = 'a duration such as 250ms, 5s, 10m or 1h';
const ADDRESS_FORM = 'host:port, [v6]:port or unix:/path';
const BIND_FORM = 'host:port, [v6]:port, :port or unix:/path';
/** The range of a backend's weight. */
export const WEIGHT = { min: 0, max: 256 } as const;

/** A mapping with exactly these keys. */
export function section<Shape extends z.core.$ZodShape>(shape: Shape) {
  const keys = Object.keys(shape).filter(key => !key.startsWith('$'));
  return z
    .strictObject(shape, { error: `a mapping with keys such as ${keys.slice(0, 4).join(', ')}` })
    .readonly();
}

/** A list of at least one and at most `max` elements. */
export function list<Element extends z.core.SomeType>(element: Element, what: string, max: number) {
  const error = `a list of 1 to ${String(max)} ${what}`;
  return z
    .array(element, { error })
    .min(1, { error })
    .max(max, { error })
    .readonly()
    .register(fieldFacts, { type: 'list', range: `1 to ${String(max)} elements` });
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number) {
  const error = `an integer from ${String(min)} to ${String(max)}`;
  return z
    .number({ error })
    .int({ error })
    .min(min, { error })
    .max(max, { error })
    .register(fieldFacts, { type: 'integer', range: `${String(min)} to ${String(max)}` });
}

/** A part of a whole. */
export function fraction() {
  const error = 'a number from 0 to 1';
  return z
    .number({ error })
    .min(0, { error })
    .max(1, { error })
    .register(fieldFacts, { type: 'number', range: '0 to 1' });
}

/** A part in hundredths; parsed as their number. */
export function percent() {
  const error = 'a percentage from 0% to 100%';
  return z
    .union([z.string(), z.number()], { error })
    .transform((value, context) => {
      const digits = typeof value === 'number' ? value : /^\d{1,3}%$/.test(value) ? parseInt(value, 10) : -1;
      if (Number.isInteger(digits) && digits >= 0 && digits <= 100) return digits;
      context.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    })
    .meta({
      anyOf: [
        { type: 'string', pattern: '^(100|[0-9]{1,2})%$' },
        { type: 'integer', minimum: 0, maximum: 100 },
      ],
    })
    .register(fieldFacts, { type: 'percentage', range: '0% to 100%' });
}

/** True or false; no words for them. */
export function yesOrNo() {
  return z.boolean({ error: 'true or false' }).register(fieldFacts, { type: 'true or false' });
}

/** One of a few words. */
export function oneOf<const Values extends readonly string[]>(values: Values) {
  return z
    .enum(values, { error: `one of ${values.join(', ')}` })
    .register(fieldFacts, { type: values.map(value => `\`${value}\``).join(', ') });
}

/** Any text of 1 to `max` characters. */
export function text(max: number) {
  const error = `a text of 1 to ${String(max)} characters`;
  return z
    .string({ error })
    .min(1, { error })
    .max(max, { error })
    .register(fieldFacts, { type: 'text', range: `1 to ${String(max)} characters` });
}

/** The name of a listener or an upstream: it labels metrics and stands in the admin API's URLs. */
export function name() {
  const error = 'a name of 1 to 64 letters, digits, ".", "_" or "-" that starts with a letter or digit';
  return z
    .string({ error })
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, { error })
    .register(fieldFacts, { type: 'name', range: '1 to 64 letters, digits, `.`, `_`, `-`' });
}

/** A reference to a name that is defined elsewhere; cross-checks.ts ensures that it is. */
export function reference(what: string) {
  return z.string({ error: `the name of ${what}` }).register(fieldFacts, { type: 'name' });
}

/**
 * A duration, in milliseconds once parsed: from `min` to `max`, or 0 where `zero` says what that means.
 * A number is taken as milliseconds; parse.ts refuses that in files.
 */
export function duration(min: number, max: number, zero?: string) {
  const range = `${formatDuration(min)} to ${formatDuration(max)}${zero === undefined ? '' : `, or 0 for ${zero}`}`;
  return z
    .union([z.string(), z.number()], { error: DURATION_FORM })
    .transform((value, context) => {
      const ms = typeof value === 'number' ? value : parseDuration(value);
      const inRange = ms !== undefined && ((ms >= min && ms <= max) || (ms === 0 && zero !== undefined));
      if (inRange && Number.isInteger(ms)) return ms;
      context.addIssue({
        code: 'custom',
        message: ms === undefined ? DURATION_FORM : `a duration from ${range}`,
      });
      return z.NEVER;
    })
    .meta({ anyOf: [{ type: 'string', pattern: DURATION_PATTERN }, { const: 0 }] })
    .register(fieldFacts, { type: 'duration', range, duration: true });
}

/** An address to listen on: any local host, and port 0, are allowed. */
export function bindAddress() {
  return z
    .string({ error: BIND_FORM })
    .transform((text, context) => {
      const parsed = parseAddress(text, BIND_ALLOWS);
      if (parsed.ok) return parsed.address;
      context.addIssue({ code: 'custom', message: parsed.expected, params: { withoutValue: BIND_FORM } });
      return z.NEVER;
    })
    .meta({ pattern: '^(unix:.+|.*:[0-9]{1,5})$' })
    .register(fieldFacts, { type: 'address', range: BIND_FORM });
}

/** What `parseAddress` allows for an address that lb4 listens at. */
export const BIND_ALLOWS = { anyHost: true, anyPort: true } as const;

/** An address to connect to. */
export function backendAddress() {
  return z
    .string({ error: ADDRESS_FORM })
    .transform((text, context) => {
      const parsed = parseAddress(text);
      if (parsed.ok) return parsed.address;
      context.addIssue({ code: 'custom', message: parsed.expected, params: { withoutValue: ADDRESS_FORM } });
      return z.NEVER;
    })
    .meta({ pattern: '^(unix:.+|.+:[0-9]{1,5})$' })
    .register(fieldFacts, { type: 'address', range: ADDRESS_FORM });
}

/** An address to connect to that needs no resolver. */
export function numericAddress() {
  const error = 'an IP address with a port, such as 10.0.0.1:8080 or [fd00::1]:8080, or unix:/path';
  return backendAddress().refine(address => address.kind === 'unix' || isIP(address.host) !== 0, { error });
}

/** A backend in one word: its address, with `@weight` if it is not 1. */
export function backendText() {
  return z
    .string()
    .transform((text, context) => {
      const parsed = parseBackendText(text);
      if (parsed.ok) return { id: formatAddress(parsed.address), ...parsed };
      context.addIssue({
        code: 'custom',
        message: parsed.expected,
        params: { withoutValue: `${ADDRESS_FORM}, with an optional @weight` },
      });
      return z.NEVER;
    })
    .meta({ pattern: '^(unix:.+|.+:[0-9]{1,5}(@[0-9]{1,3})?)$' });
}

/** Splits `10.0.0.1:80@2` into its address and weight (default 1). */
export function parseBackendText(
  text: string,
): { ok: true; address: Address; weight: number } | { ok: false; expected: string } {
  // A unix path may contain an @ of its own: only digits after a further @ are a weight.
  const at = text.startsWith('unix:') ? /(?<!^unix:)@\d+$/.exec(text)?.index : text.lastIndexOf('@');
  const split = at === undefined || at < 0 ? text.length : at;
  const weightText = split < text.length ? text.slice(split + 1) : '1';
  const weight = /^\d{1,3}$/.test(weightText) ? Number(weightText) : -1;
  if (weight < WEIGHT.min || weight > WEIGHT.max) {
    return {
      ok: false,
      expected: `a weight after the @ that is an integer from ${String(WEIGHT.min)} to ${String(WEIGHT.max)}`,
    };
  }
  const parsed = parseAddress(text.slice(0, split));
  return parsed.ok ? { ok: true, address: parsed.address, weight } : parsed;
}
