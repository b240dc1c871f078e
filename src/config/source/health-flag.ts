/**
 * What `--health` means: one word, or `http:/path`, for several keys of `health`.
 *
 * Place: a part of flags.ts. The presets of `sendExpect` are words like the types, because `sendExpect` alone does not
 * say what to send. A flag replaces the type of the file together with the keys that belong to that type.
 */
import { field } from '../schema/field.ts';
import { HEALTH_PRESETS } from '../schema/health-schema.ts';
import { nearest } from '../report/nearest.ts';
import { KEYS_OF_TYPES } from '../checks/upstream-cross-checks.ts';

type HealthKeys = Readonly<Record<string, string>>;
export interface WrongHealthFlag {
  readonly ok: false;
  readonly expected: string;
  readonly suggestion: string | undefined;
}
export type HealthFlag = { readonly ok: true; readonly keys: HealthKeys } | WrongHealthFlag;

const TYPES = ['tcp', 'http', 'tls', 'off'];
const WORDS = [...TYPES, ...HEALTH_PRESETS];
const EXPECTED = `one of ${WORDS.map(word => (word === 'http' ? 'http:/path' : word)).join(', ')}`;
/** The keys of a custom question; a preset replaces them. */
const OWN_QUESTION = ['send', 'sendHex', 'expect', 'expectPattern'];

/** The keys of `health` that the flag sets. */
export function readHealthFlag(given: string): HealthFlag {
  // The host of `http://host/path` would silently become a part of the path.
  const path = /^http:(?!\/\/)(.*)$/s.exec(given)?.[1];
  if (path !== undefined) return { ok: true, keys: { type: 'http', path } };
  if (TYPES.includes(given)) return { ok: true, keys: { type: given } };
  if (WORDS.includes(given)) return { ok: true, keys: { type: 'sendExpect', preset: given } };
  return { ok: false, expected: EXPECTED, suggestion: nearest(given, WORDS) };
}

/** The file's `health` without the keys that belong to its own type and not to that of the flag. */
export function withoutFormerType(
  health: Readonly<Record<string, unknown>>,
  { type = '', preset }: HealthKeys,
): Readonly<Record<string, unknown>> {
  const former = field(health, 'type');
  const isForeign = (key: string): boolean => {
    if (preset !== undefined && OWN_QUESTION.includes(key)) return true;
    const types = KEYS_OF_TYPES[key] ?? [];
    return types.includes(String(former)) && !types.includes(type);
  };
  return Object.fromEntries(Object.entries(health).filter(([key]) => !isForeign(key)));
}
