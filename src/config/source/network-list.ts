/**
 * A file with entries of `access`: one network, IP address, `all` or `unix` on each line.
 *
 * Place: composition/access-lists.ts reads the files that a configuration names.
 * Why IPv4 is parsed here once more: lists of 100,000 networks are read at each reload, in this way in a third of the
 * time. What this does not understand goes to `parseNetwork`.
 * Invariants:
 * - A list with one bad line is no list.
 * - No text of a file gets out unless it looks like an address: the file could be another one than was meant.
 */
import { NetworkWords } from '../../model/network-words.ts';
import type { Sliced } from '../../support/slices.ts';

export interface NetworkList {
  readonly networks: NetworkWords;
  /** Of each network, its line. */
  readonly lines: readonly number[];
  /** The line of `all`, and of `unix`; 0: it is not there. */
  readonly all: number;
  readonly unix: number;
}

/** `found`: what is wrong with the file, and in which line. */
export type ReadList =
  { readonly ok: true; readonly list: NetworkList } | { readonly ok: false; readonly found: string };

const SLICE_LINES = 1_024;
const LINE_END = 10;
const [TAB, SPACE, RETURN, HASH, SEMICOLON] = [9, 32, 13, 35, 59];
const [SLASH, DOT, ZERO] = [47, 46, 48];
const ADDRESS_LIKE = /^[0-9a-fA-F.:/]{1,64}$/;

export function* readNetworkList(text: string): Sliced<ReadList> {
  if (text === '')
    return { ok: false, found: 'it is empty; a line with a comment says that it is meant to be' };
  if (text.includes('\0')) return { ok: false, found: 'it is no text file' };
  const networks = new NetworkWords();
  const lines: number[] = [];
  let [all, unix] = [0, 0];
  let firstBad: string | undefined;
  let bad = 0;
  let line = 0;
  const refuse = (why: string): void => {
    firstBad ??= `line ${line}: ${why}`;
    bad += 1;
  };
  // A byte order mark.
  let start = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (start < text.length) {
    line += 1;
    if (line % SLICE_LINES === 0) yield;
    let end = text.indexOf('\n', start);
    if (end < 0) {
      refuse('it has no line end, as in a file that is still being written');
      end = text.length;
    }
    const [from, to] = entryIn(text, start, end);
    start = end + 1;
    if (from === to) continue;
    if (addIPv4(networks, text, from, to)) {
      lines.push(line);
      continue;
    }
    const entry = text.slice(from, to);
    if (entry === 'all') all ||= line;
    else if (entry === 'unix') unix ||= line;
    else if (networks.add(entry)) lines.push(line);
    else refuse(`${ADDRESS_LIKE.test(entry) ? entry : 'what stands there'} is no network`);
  }
  if (firstBad === undefined) return { ok: true, list: { networks, lines, all, unix } };
  const others = bad > 1 ? `, and ${bad - 1} more such line${bad > 2 ? 's' : ''}` : '';
  return { ok: false, found: firstBad + others };
}

/** Where the entry of a line is, without comment and spaces. */
function entryIn(text: string, start: number, end: number): readonly [from: number, to: number] {
  let from = start;
  while (from < end && isSpace(text.charCodeAt(from))) from += 1;
  let to = from;
  while (to < end && !isComment(text.charCodeAt(to))) to += 1;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to -= 1;
  return [from, to];
}

function isSpace(code: number): boolean {
  return code === SPACE || code === TAB || code === RETURN || code === LINE_END;
}

function isComment(code: number): boolean {
  return code === HASH || code === SEMICOLON;
}

/** Adds a network such as 10.0.0.0/8, or an address; false: it is none, or another form of one. */
function addIPv4(networks: NetworkWords, text: string, from: number, to: number): boolean {
  let address = 0;
  let at = from;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && text.charCodeAt(at++) !== DOT) return false;
    const begin = at;
    let value = 0;
    for (; at < to; at++) {
      const digit = text.charCodeAt(at) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = 10 * value + digit;
    }
    if (!isNumber(text, begin, at, value, 255)) return false;
    address = address * 256 + value;
  }
  if (at === to) {
    networks.addIPv4(address, 32);
    return true;
  }
  if (text.charCodeAt(at++) !== SLASH) return false;
  const begin = at;
  let bits = 0;
  for (; at < to; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return false;
    bits = 10 * bits + digit;
  }
  if (!isNumber(text, begin, at, bits, 32)) return false;
  networks.addIPv4(address, bits);
  return true;
}

/** One to three digits without a zero before them, which some programs read as octal. */
function isNumber(text: string, begin: number, end: number, value: number, most: number): boolean {
  const digits = end - begin;
  return digits > 0 && digits <= 3 && value <= most && (digits === 1 || text.charCodeAt(begin) !== ZERO);
}
