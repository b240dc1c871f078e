/**
 * What comes from Redis, checked: the script's reply and the messages on the channels of changes.
 *
 * Place: between `exchange-script.ts`, which writes both, and whoever uses them. Both are input from outside: another
 * program, or another version of lb4, may have written them.
 */
import type { Change, NameTaken, Totals } from './exchange.ts';
import { MOST_CHANGES_TOLD, UNSEEN_UNITS } from './exchange-script.ts';

/** A longer message is none of ours. */
const LONGEST_MESSAGE_BYTES = 8192;
const WHOLE = /^-?\d{1,16}$/;

/** The script's reply, or undefined if it has another shape. */
export function parseReply(reply: unknown): Totals | NameTaken | undefined {
  if (!Array.isArray(reply)) return undefined;
  const parts: readonly unknown[] = reply;
  const [kind, version, unknown, unseen, others, totals] = parts;
  if (kind === 'nameTaken') return parts.length === 1 ? { kind } : undefined;
  if (kind !== 'totals' || parts.length !== 6 || (unknown !== 0 && unknown !== 1)) return undefined;
  const theirUnseen = whole(unseen);
  const counted = whole(version);
  const ages = pairs(others);
  const loads = pairs(totals);
  if (counted === undefined || theirUnseen === undefined || ages === undefined || loads === undefined) {
    return undefined;
  }
  if (Math.min(counted, theirUnseen) < 0) return undefined;
  return {
    kind,
    version: counted,
    wasUnknown: unknown === 1,
    unseen: theirUnseen / UNSEEN_UNITS,
    others: Array.from(ages, ([instance, ageMs]) => ({ instance, ageMs })),
    totals: loads,
  };
}

/** A change as told on an upstream's channel, or undefined if it is none. */
export function parseChange(upstream: string, message: string): Change | undefined {
  if (message.length > LONGEST_MESSAGE_BYTES) return undefined;
  const said = parseJson(message);
  if (!isRecord(said) || !isRecord(said['deltas'])) return undefined;
  const instance = said['instance'];
  const version = whole(said['version']);
  const deltas = new Map<string, number>();
  for (const [backend, delta] of Object.entries(said['deltas'])) {
    if (typeof delta !== 'number' || !Number.isSafeInteger(delta)) return undefined;
    deltas.set(backend, delta);
  }
  if (typeof instance !== 'string' || version === undefined || version < 0) return undefined;
  if (deltas.size === 0 || deltas.size > MOST_CHANGES_TOLD) return undefined;
  return { upstream, instance, version, deltas };
}

/** Name and number in turn; numbers of at least 0. */
function pairs(list: unknown): Map<string, number> | undefined {
  if (!Array.isArray(list) || list.length % 2 !== 0) return undefined;
  const found = new Map<string, number>();
  for (let i = 0; i < list.length; i += 2) {
    const name: unknown = list[i];
    const value = whole(list[i + 1]);
    if (typeof name !== 'string' || value === undefined || value < 0) return undefined;
    found.set(name, value);
  }
  return found;
}

/** A whole number, as Redis's integer or as text. */
function whole(value: unknown): number | undefined {
  const number = typeof value === 'string' && WHOLE.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
