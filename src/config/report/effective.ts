/**
 * A checked configuration as a user would write it: durations and addresses as text, every default filled in.
 *
 * Place: diff.ts compares two of these, `lb4 check --show` prints one.
 * Invariants:
 * - Parsed again, the result is the same configuration.
 * - The result contains secrets. `shownAt` replaces them; all that is printed or logged goes through it.
 */
import { fieldFacts } from '../schema/fields.ts';
import { formatRedisUrl, type RedisUrl } from '../schema/redis-url.ts';
import { acceptsTrue, elementOf, layers, shapeOf } from '../schema/schema-tree.ts';
import { type Config, configSchema } from '../schema/schema.ts';
import { type Address, formatAddress, type SocketAccess } from '../../support/address.ts';
import { formatBandwidth } from '../../support/bandwidth.ts';
import { formatDuration } from '../../support/duration.ts';
import type { z } from 'zod';
import { isSecret } from './secrets.ts';

export type Plain =
  string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain | undefined };

/** A mapping, not a list and not a single value. */
export type PlainMapping = Extract<Plain, { readonly [key: string]: Plain | undefined }>;

export const HIDDEN = '***';

/** The configuration in force is compared with each one that follows. */
const known = new WeakMap<Partial<Config>, PlainMapping>();

/** The whole configuration, or the part that is given; keys that are not set are left out. */
export function effectiveOf(config: Partial<Config>): PlainMapping {
  let found = known.get(config);
  if (found === undefined) known.set(config, (found = mappingOf(config, configSchema)));
  return found;
}

/** The value at a path of keys (positions and names in lists count as well), without secrets. */
export function shownAt(path: readonly string[], value: Plain): Plain {
  if (path.length === 2 && path[0] === 'redis' && path[1] === 'url' && typeof value === 'string')
    return withoutUser(value);
  if (isHidden(path)) return HIDDEN;
  if (isList(value)) return value.map((each, index) => shownAt([...path, String(index)], each));
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) =>
      each === undefined ? [] : [[key, shownAt([...path, key], each)]],
    ),
  );
}

export function isMapping(value: Plain | undefined): value is PlainMapping {
  return typeof value === 'object' && !isList(value);
}

export function isList(value: Plain | undefined): value is readonly Plain[] {
  return Array.isArray(value);
}

/** A section as a whole is a mapping, whose values are looked at one by one. */
function isHidden(path: readonly string[]): boolean {
  return path.length > 1 && isSecret(path);
}

function withoutUser(url: string): string {
  return url.replace(/:\/\/[^@/]*@/, `://${HIDDEN}@`);
}

function plainOf(value: unknown, schema: z.core.$ZodType): Plain | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number') {
    const facts = layers(schema).map(layer => fieldFacts.get(layer));
    if (facts.some(fact => fact?.bandwidth === true)) return formatBandwidth(value);
    return facts.some(fact => fact?.duration === true) ? formatDuration(value) : value;
  }
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) {
    const element = elementOf(schema);
    return element === undefined ? [] : ranges(value).flatMap(each => plainOf(each, element) ?? []);
  }
  if (typeof value !== 'object') return undefined;
  if (isAddress(value)) return addressOf(value);
  if (isRedisUrl(value)) return formatRedisUrl(value);
  // `ejection: off` is a number of failures that is never reached.
  if ('failures' in value && value.failures === Infinity) return 'off';
  const mapping = mappingOf(value, schema);
  // Short for a mapping without keys.
  return Object.keys(mapping).length === 0 && acceptsTrue(schema) ? true : mapping;
}

function mappingOf(value: object, schema: z.core.$ZodType): PlainMapping {
  const values = new Map<string, unknown>(Object.entries(value));
  return Object.fromEntries(
    Object.entries(shapeOf(schema) ?? {}).flatMap(([key, inner]) => {
      // The only key whose default is something and that may be nothing.
      const plain = plainOf(values.get(key), inner) ?? (key === 'keepalive' ? 'off' : undefined);
      return plain === undefined ? [] : [[key, plain]];
    }),
  );
}

function isAddress(value: object): value is Address & { readonly access?: SocketAccess } {
  return 'kind' in value && (value.kind === 'tcp' || value.kind === 'unix');
}

function isRedisUrl(value: object): value is RedisUrl {
  return 'topology' in value;
}

/** Addresses that were written as one, with a range of ports, are one again. */
function ranges(list: readonly unknown[]): readonly unknown[] {
  return list.flatMap((each, i) => {
    const entry = entryOf(each);
    if (entry === undefined) return [each];
    if (entryOf(list[i - 1]) === entry) return [];
    const last = list.findLast(other => entryOf(other) === entry);
    if (last === each || typeof each !== 'object' || each === null) return [each];
    const port = typeof last === 'object' && last !== null && 'port' in last ? String(last.port) : '';
    return [`${formatAddress(each as Address)}-${port}`]; // only addresses have an entry
  });
}

function entryOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'entry' in value ? value.entry : undefined;
}

function addressOf(address: Address & { readonly access?: SocketAccess }): Plain {
  const text = formatAddress(address);
  const { mode, user, group } = address.access ?? {};
  if (mode === undefined && user === undefined && group === undefined) return text;
  const octal = mode?.toString(8).padStart(4, '0');
  return Object.fromEntries(
    Object.entries({ address: text, mode: octal, user, group }).flatMap(([key, each]) =>
      each === undefined ? [] : [[key, each]],
    ),
  );
}
