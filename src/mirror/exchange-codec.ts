/**
 * What goes to the exchange's script and what comes back from Redis, checked: replies, and the messages on the channels
 * of changes.
 *
 * Place: between `exchange-script.ts`, which says how lists look, and whoever uses them. What comes is input from
 * outside: another program, or another version of lb4, may have written it.
 */
import type { Change, NameTaken, Totals } from './exchange.ts';
import { MOST_CHANGES_TOLD, UNSEEN_UNITS } from './exchange-script.ts';

export interface EncodedCounts {
  /** Each name with a NUL after it. */
  readonly backends: string;
  /** Unsigned 32-bit numbers, big-endian, in the order of the names. */
  readonly counts: Buffer;
}

/** In the order of the names, so that instances with the same backends say the same. */
export function encodeCounts(counts: ReadonlyMap<string, number>): EncodedCounts {
  const names = [...counts.keys()].sort();
  const bytes = Buffer.alloc(4 * names.length);
  names.forEach((name, i) => bytes.writeUInt32BE(whole(counts.get(name)), 4 * i));
  return { backends: names.map(name => `${name}\0`).join(''), counts: bytes };
}

/** A longer message is none of ours. */
const LONGEST_MESSAGE_BYTES = 8192;
const MOST = 0xff_ff_ff_ff;

/** As the script keeps it. */
export function encodeUnseen(unseen: number): number {
  return whole(unseen * UNSEEN_UNITS);
}

/** The script's reply as bytes, or undefined if it has another shape. */
export function parseReply(reply: unknown): Totals | NameTaken | undefined {
  if (!Array.isArray(reply)) return undefined;
  const parts: readonly unknown[] = reply;
  const [kind, version, unknown, unseen, others, backends, totals] = parts;
  if (!Buffer.isBuffer(kind)) return undefined;
  if (kind.toString() === 'nameTaken') return { kind: 'nameTaken' };
  if (kind.toString() !== 'totals' || (unknown !== 0 && unknown !== 1)) return undefined;
  if (!isCount(version) || !isCount(unseen)) return undefined;
  const ages = decodeOthers(others);
  const sums = decodeCounts(backends, totals);
  if (ages === undefined || sums === undefined) return undefined;
  return {
    kind: 'totals',
    version,
    wasUnknown: unknown === 1,
    unseen: unseen / UNSEEN_UNITS,
    others: ages,
    totals: sums,
  };
}

/** A change as told on an upstream's channel, or undefined if it is none. */
export function parseChange(upstream: string, message: string): Change | undefined {
  if (message.length > LONGEST_MESSAGE_BYTES) return undefined;
  const said = parseJson(message);
  if (!isRecord(said) || !isRecord(said['deltas'])) return undefined;
  const instance = said['instance'];
  const version = Number(said['version']);
  const deltas = new Map<string, number>();
  for (const [backend, delta] of Object.entries(said['deltas'])) {
    if (typeof delta !== 'number' || !Number.isSafeInteger(delta)) return undefined;
    deltas.set(backend, delta);
  }
  if (typeof instance !== 'string' || !isCount(version)) return undefined;
  if (deltas.size === 0 || deltas.size > MOST_CHANGES_TOLD) return undefined;
  return { upstream, instance, version, deltas };
}

/** As an unsigned 32-bit number, whatever it is: what one instance got wrong would be wrong in everybody's totals. */
function whole(value = 0): number {
  return Number.isFinite(value) ? Math.min(Math.max(Math.round(value), 0), MOST) : 0;
}

function decodeCounts(backends: unknown, totals: unknown): Map<string, number> | undefined {
  if (!Buffer.isBuffer(backends) || !Buffer.isBuffer(totals)) return undefined;
  const names = backends.toString().split('\0');
  // Each name ends in a NUL, so nothing follows the last one.
  if (names.pop() !== '' || totals.length !== 4 * names.length) return undefined;
  return new Map(names.map((name, i) => [name, totals.readUInt32BE(4 * i)]));
}

/** Name and age in turn. */
function decodeOthers(list: unknown): { instance: string; ageMs: number }[] | undefined {
  if (!Array.isArray(list) || list.length % 2 !== 0) return undefined;
  const others: { instance: string; ageMs: number }[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const name: unknown = list[i];
    const ageMs: unknown = list[i + 1];
    if (!Buffer.isBuffer(name) || !isCount(ageMs)) return undefined;
    others.push({ instance: name.toString(), ageMs });
  }
  return others;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
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
