/**
 * The entries of the files that `access` names, in a form that can be compared: how many a reload has added and removed.
 *
 * Place: `lb4 run` keeps those in force, 8 bytes for each, and compares them with what a reload has read.
 * How: a number of 53 bits stands for each entry. Should two have the same one by chance, a report is off by one, and
 * nothing else.
 * Invariant: an entry that a file has twice counts once.
 */
import type { NetworkList } from '../config/source/network-list.ts';
import type { ConfigChange } from '../model/reload-report.ts';
import type { Sliced } from '../support/slices.ts';
import type { AccessSteps } from './access-lists.ts';

/** Of one file. */
interface Entries {
  /** A listener that names it. */
  readonly listener: string;
  readonly numbers: Float64Array;
}

/** By the files, as they are named: `file:blocked.txt`. */
export type ListEntries = ReadonlyMap<string, Entries>;

const SLICE = 4_096;
/** No network has these numbers: its first word would have to be a fraction. */
const [ALL, UNIX] = [0.25, 0.5];

export function* listEntries(all: readonly AccessSteps[]): Sliced<ListEntries> {
  const found = new Map<string, Entries>();
  for (const { listener, steps } of all) {
    for (const { text, isFile, list } of steps.flatMap(({ entries }) => entries)) {
      if (isFile && !found.has(text)) found.set(text, { listener, numbers: yield* numbersOf(list) });
    }
  }
  return found;
}

/** Of the files that are in both. */
export function* listChanges(before: ListEntries, after: ListEntries): Sliced<readonly ConfigChange[]> {
  const changes: ConfigChange[] = [];
  for (const [file, { listener, numbers }] of after) {
    const was = before.get(file);
    if (was === undefined) continue;
    const [old, now] = [yield* setOf(was.numbers), yield* setOf(numbers)];
    let added = 0;
    for (const number of now) if (!old.delete(number)) added += 1;
    const removed = old.size;
    if (added + removed === 0) continue;
    const parts = [
      ...(added > 0 ? [`${inWords(added)} added`] : []),
      ...(removed > 0 ? [`${inWords(removed)} removed`] : []),
      `${now.size} now`,
    ];
    changes.push({
      ...{ kind: 'changed', what: 'key', path: ['listeners', listener, 'access', file] },
      ...{ from: inWords(now.size + removed - added), to: inWords(now.size) },
      text: `list ${file}: ${parts.join(', ')}`,
    });
  }
  return changes;
}

function inWords(entries: number): string {
  return `${entries} ${entries === 1 ? 'entry' : 'entries'}`;
}

function* setOf(numbers: Float64Array): Sliced<Set<number>> {
  const set = new Set<number>();
  for (const [i, number] of numbers.entries()) {
    if (i % SLICE === SLICE - 1) yield;
    set.add(number);
  }
  return set;
}

function* numbersOf({ networks, all, unix }: NetworkList): Sliced<Float64Array> {
  const { words, bits } = networks;
  const numbers = new Float64Array(bits.length + Number(all > 0) + Number(unix > 0));
  for (let i = 0; i < bits.length; i++) {
    if (i % SLICE === SLICE - 1) yield;
    numbers[i] = numberOf(words, 4 * i, bits[i] ?? 0);
  }
  let length = bits.length;
  if (all > 0) numbers[length++] = ALL;
  if (unix > 0) numbers[length++] = UNIX;
  return numbers;
}

/** 53 bits of two hashes (the mixing steps of MurmurHash3). */
function numberOf(words: Uint32Array, at: number, bits: number): number {
  let [high, low] = [bits, ~bits];
  for (let i = at; i < at + 4; i++) {
    high = mixed(high, words[i] ?? 0, 0xcc9e2d51);
    low = mixed(low, words[i] ?? 0, 0x1b873593);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}

function mixed(hash: number, word: number, factor: number): number {
  const turned = Math.imul(hash ^ Math.imul(word, factor), 0x85ebca6b);
  return turned ^ (turned >>> 13);
}
