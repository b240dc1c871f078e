/**
 * Encodes the arguments of the exchange's script; decodes and checks what comes from Redis: replies, and the messages
 * on the channels of changes.
 *
 * Place: between exchange.lua, which defines the lists, and `redis-exchange.ts` and `change-subscriber.ts`.
 * Why the checks: another program, or another version of lb4, may have written what comes.
 */
import type { Change, NameTaken, Totals } from './exchange.ts';
import { MOST_CHANGES_TOLD, MOST_INSTANCES, UNSEEN_UNITS } from './exchange-script.ts';

export interface EncodedCounts {
  /** Sorted, so that instances with the same backends send the same list. */
  readonly names: readonly string[];
  /** Each name with a NUL after it. */
  readonly backends: string;
  /** Unsigned 32-bit numbers, big-endian, in the order of the names. */
  readonly counts: Buffer;
}

/** Takes the names and their order over from `before`, where they are the same. */
export function encodeCounts(counts: ReadonlyMap<string, number>, before?: EncodedCounts): EncodedCounts {
  if (before?.names.length === counts.size) {
    const bytes = inOrder(counts, before.names);
    if (bytes !== undefined) return { ...before, counts: bytes };
  }
  const names = [...counts.keys()].sort();
  const backends = names.map(name => `${name}\0`).join('');
  return { names, backends, counts: inOrder(counts, names) ?? Buffer.alloc(0) };
}

/** Undefined if a name is missing. */
function inOrder(counts: ReadonlyMap<string, number>, names: readonly string[]): Buffer | undefined {
  const bytes = Buffer.alloc(4 * names.length);
  for (let i = 0; i < names.length; i += 1) {
    const count = counts.get(names[i] ?? '');
    if (count === undefined) return undefined;
    // Most counts are 0, as the bytes are already.
    if (count !== 0) bytes.writeUInt32BE(whole(count), 4 * i);
  }
  return bytes;
}

/** The changes between two counts of the same names: pairs of place, from 1, and difference, as 32-bit numbers. */
export function encodeChanges(before: EncodedCounts, after: EncodedCounts): Buffer {
  if (before.counts.equals(after.counts)) return Buffer.alloc(0);
  const pairs: number[] = [];
  for (let at = 0; at < after.counts.length; at += 4) {
    const delta = after.counts.readUInt32BE(at) - before.counts.readUInt32BE(at);
    if (delta !== 0) pairs.push(1 + at / 4, delta);
  }
  const bytes = Buffer.alloc(4 * pairs.length);
  pairs.forEach((value, i) => bytes.writeInt32BE(value, 4 * i));
  return bytes;
}

/** A longer message does not come from lb4. */
const LONGEST_MESSAGE_BYTES = 8192;
/** The most that a reply may name; one with more does not come from lb4. */
const MOST_BACKENDS = 100_000;
/** Differences of two such numbers fit into 32 bits too. */
const MOST = 0x7f_ff_ff_ff;

/** In the script's units. */
export function encodeUnseen(unseen: number): number {
  return whole(unseen * UNSEEN_UNITS);
}

/** What a reply omits when the caller has it already. */
export interface Roster {
  readonly epoch: string;
  /** Names of the backends as in a publication: each with a NUL after it. */
  readonly list: string;
  /** The same names, in the order of the totals. */
  readonly backends: readonly string[];
  readonly others: readonly string[];
}

/** An exchange that worked, and what to remember of it. */
export interface Answered {
  readonly kind: 'answered';
  readonly answer: Totals;
  readonly roster: Roster;
}

/** A caller that sent only its changes must send all its counts. */
export interface Incomplete {
  readonly kind: 'again';
}

/** Decodes the script's reply to a caller that may know a roster; undefined if it has another shape. */
export function parseReply(
  reply: unknown,
  known: Roster | undefined,
): Answered | NameTaken | Incomplete | undefined {
  if (!Array.isArray(reply)) return undefined;
  const parts: readonly unknown[] = reply;
  const [kind, version, unknown, unseen, ageMs, telling, epoch, totals, ...names] = parts;
  if (!Buffer.isBuffer(kind)) return undefined;
  const word = kind.toString();
  if (word === 'nameTaken' || word === 'again') return { kind: word };
  if (word !== 'totals' || !isFlag(unknown) || !isFlag(telling)) return undefined;
  if (!isCount(version) || !isCount(unseen) || !isCount(ageMs) || !Buffer.isBuffer(epoch)) return undefined;
  const roster = decodeRoster(epoch.toString(), names, known);
  const sums = roster && decodeTotals(totals, roster.backends);
  if (roster === undefined || sums === undefined) return undefined;
  const answer: Totals = {
    kind: 'totals',
    version,
    wasUnknown: unknown === 1,
    unseen: unseen / UNSEEN_UNITS,
    others: roster.others,
    ageMs,
    isTelling: telling === 1,
    totals: sums,
  };
  return { kind: 'answered', answer, roster };
}

/** A change from the message on an upstream's channel; undefined if it is none. */
export function parseChange(upstream: string, message: string): Change | undefined {
  if (message.length > LONGEST_MESSAGE_BYTES) return undefined;
  const said = parseJson(message);
  if (!isRecord(said) || !isRecord(said['deltas'])) return undefined;
  const instance = said['instance'];
  // The version comes as text: Redis' own JSON writes large numbers with an exponent.
  const version = /^\d{1,16}$/.test(String(said['version'])) ? Number(said['version']) : NaN;
  const deltas = new Map<string, number>();
  for (const [backend, delta] of Object.entries(said['deltas'])) {
    if (typeof delta !== 'number' || !Number.isSafeInteger(delta)) return undefined;
    deltas.set(backend, delta);
  }
  if (typeof instance !== 'string' || !isCount(version)) return undefined;
  if (deltas.size === 0 || deltas.size > MOST_CHANGES_TOLD) return undefined;
  return { upstream, instance, version, deltas };
}

/** Any value as an unsigned 32-bit number: one instance's wrong count would make the totals of all wrong. */
function whole(value: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(Math.round(value), 0), MOST) : 0;
}

function decodeRoster(
  epoch: string,
  names: readonly unknown[],
  known: Roster | undefined,
): Roster | undefined {
  if (names.length === 0) return known?.epoch === epoch ? known : undefined;
  const [bytes, others] = names;
  if (!Buffer.isBuffer(bytes) || !Array.isArray(others) || others.length > MOST_INSTANCES) return undefined;
  const list = bytes.toString();
  const backends = list.split('\0');
  // Each name ends in a NUL, so nothing follows the last one.
  if (
    backends.pop() !== '' ||
    backends.length > MOST_BACKENDS ||
    !others.every(name => Buffer.isBuffer(name))
  )
    return undefined;
  return { epoch, list, backends, others: others.map(name => name.toString()) };
}

function decodeTotals(totals: unknown, backends: readonly string[]): Map<string, number> | undefined {
  if (!Buffer.isBuffer(totals) || totals.length !== 4 * backends.length) return undefined;
  return new Map(backends.map((name, i) => [name, totals.readUInt32BE(4 * i)]));
}

function isFlag(value: unknown): value is 0 | 1 {
  return value === 0 || value === 1;
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
