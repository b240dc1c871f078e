/**
 * What issues show of values that may be a secret: the scheme of a Redis URL, nothing of a user, and nothing of what a
 * check sends, which may log in.
 *
 * Place: parse.ts and document-reader.ts describe all values and keys through it.
 * Why by place and not by content: only its place shows that a text is a password, and a URL that is not well-formed
 * does not show where its password is. The same holds for a value in place of the whole section, and for unknown keys
 * of the section: in `{ url: redis://:a,b@host }` YAML sees the key `b@host`. Text that is only `${NAME}` is no secret.
 */
import { describeValue, type Path } from './issue.ts';
import { redisSection } from '../schema/redis-schema.ts';
import { redisScheme } from '../schema/redis-url.ts';
import { shapeOf } from '../schema/schema-tree.ts';

const SECTION = 'redis';
/** The keys whose values may be shown; a new key is hidden until it is listed here. */
const PUBLIC = new Set(['tls', 'publish', 'instance']);
const KNOWN_KEYS = new Set(Object.keys(shapeOf(redisSection) ?? {}));
/** Wrong keys that are often tried and explain the mistake; showing such a name reveals nothing of a password. */
const HARMLESS_KEYS = new Set(['password', 'user', 'host', 'port', 'db', 'database']);
/** Keys of a check whose text goes to the backend: `upstreams`, which one, `health`, the key. */
const WORDS_OF_CHECKS: ReadonlySet<string | number> = new Set(['send', 'sendHex']);
const REFERENCE = /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/;
/** Stands in keys that were written where the path of a file belongs. */
const PEM = '-----BEGIN ';
const HIDDEN = 'that is not shown';

/** A value as an issue shows it, at this place. */
export function describeAt(path: Path, value: unknown): string {
  if (typeof value === 'string' && value.includes(PEM)) return `a text ${HIDDEN}`;
  if (!isSecret(path)) return describeValue(value);
  if (typeof value === 'number') return `a number ${HIDDEN}`;
  if (typeof value !== 'string' || value === '' || REFERENCE.test(value)) return describeValue(value);
  const scheme = path[0] === SECTION && path[1] === 'url' ? redisScheme(value) : undefined;
  return scheme === undefined ? `a text ${HIDDEN}` : `"${scheme}***"`;
}

/** The key that ends `path` as an issue shows it; `suggestion`: the known key that it resembles. */
export function describeKey(path: Path, suggestion?: string): string {
  const isHidden = suggestion === undefined && isStrayKey(path) && !HARMLESS_KEYS.has(String(path[1]));
  return isHidden ? '(not shown)' : describeValue(path.at(-1));
}

/** `path`, or its beginning where the rest must not be shown. */
export function visiblePath(path: Path): Path {
  return isStrayKey(path.slice(0, 2)) ? path.slice(0, 1) : path;
}

/** Whether the value at this place may be a secret. */
export function isSecret(path: Path): boolean {
  const [section, key, , ofCheck] = path;
  if (section === SECTION) return !PUBLIC.has(String(key));
  return section === 'upstreams' && ofCheck !== undefined && WORDS_OF_CHECKS.has(ofCheck);
}

function isStrayKey(path: Path): boolean {
  return path.length === 2 && path[0] === SECTION && !KNOWN_KEYS.has(String(path[1]));
}
