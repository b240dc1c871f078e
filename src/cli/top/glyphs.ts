/**
 * The characters that `lb4 top` draws with, by what the terminal can show: braille, blocks or ASCII.
 *
 * Invariant: each character that leaves `safe` takes one cell of the terminal and moves nothing; all other text from
 * elsewhere (names, addresses, reasons) is escaped.
 */
import type { BackendView } from '../../model/snapshot.ts';
import { printable } from '../../support/printable.ts';

export const CHARSETS = ['braille', 'block', 'ascii'] as const;
export type Charset = (typeof CHARSETS)[number];

export interface Glyphs {
  readonly charset: Charset;
  /** Of a bar, from empty to full; more than two where a cell can be filled in parts. */
  readonly bar: readonly string[];
  readonly marks: Readonly<Record<BackendView['state'] | 'good' | 'warn' | 'bad', string>>;
  readonly ellipsis: string;
  readonly dot: string;
}

const BLOCKS = ['░', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const HEIGHTS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_HEIGHTS = [' ', '.', ':', '-', '=', '+', '*', '#', '@'];
/** Dots of the left and of the right column of a braille cell, filled from below: 0 to 4 of them. */
const LEFT = [0, 0x40, 0x44, 0x46, 0x47];
const RIGHT = [0, 0x80, 0xa0, 0xb0, 0xb8];
const BRAILLE = 0x2800;

const UNICODE_MARKS = {
  ...{ up: '✓', standby: '○', down: '✗', unresolved: '?', ejected: '✗', trial: '~' },
  ...{ drain: '↓', maint: '=', removed: '-', good: '✓', warn: '!', bad: '✗' },
};
const ASCII_MARKS = {
  ...{ up: '+', standby: 'o', down: 'x', unresolved: '?', ejected: 'x', trial: '~' },
  ...{ drain: 'v', maint: '=', removed: '-', good: '+', warn: '!', bad: 'x' },
};

export function glyphsOf(charset: Charset): Glyphs {
  if (charset === 'ascii') return { charset, bar: ['.', '#'], marks: ASCII_MARKS, ellipsis: '~', dot: '|' };
  return { charset, bar: BLOCKS, marks: UNICODE_MARKS, ellipsis: '…', dot: '·' };
}

/** What a terminal can show, by its environment. The console of Linux has a small font without braille. */
export function charsetOf(env: NodeJS.ProcessEnv): Charset {
  const locale =
    [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find(text => text !== undefined && text !== '') ?? '';
  if (!/utf-?8/i.test(locale)) return 'ascii';
  return env['TERM'] === 'linux' ? 'block' : 'braille';
}

/**
 * A bar of `width` cells; `part` is bounded to 0 to 1. Something never looks like nothing, and what is not quite full
 * never looks full.
 */
export function barOf(part: number, width: number, { bar }: Glyphs): string {
  const steps = bar.length - 1;
  const all = width * steps;
  const filled = part <= 0 ? 0 : part >= 1 ? all : Math.min(Math.max(Math.round(part * all), 1), all - 1);
  return Array.from({ length: width }, (_, i) => {
    const level = Math.min(Math.max(filled - i * steps, 0), steps);
    return bar[level] ?? '';
  }).join('');
}

/** The latest values as a line of `width` cells, from the left; the highest of them fills a cell. */
export function sparkline(values: readonly number[], width: number, { charset }: Glyphs): string {
  const perCell = charset === 'braille' ? 2 : 1;
  const shown = values.slice(-width * perCell);
  const most = Math.max(...shown, 1e-9);
  const levels = charset === 'braille' ? 4 : 8;
  const heights = shown.map(value => (value <= 0 ? 0 : Math.max(1, Math.round((value / most) * levels))));
  if (charset !== 'braille') {
    const line = heights
      .map(height => (charset === 'ascii' ? ASCII_HEIGHTS : HEIGHTS)[height] ?? '')
      .join('');
    return line.padStart(width);
  }
  const padded = [...new Array<number>(width * 2 - heights.length).fill(0), ...heights];
  return Array.from({ length: width }, (_, i) => {
    const dots = (LEFT[padded[2 * i] ?? 0] ?? 0) | (RIGHT[padded[2 * i + 1] ?? 0] ?? 0);
    return dots === 0 ? ' ' : String.fromCodePoint(BRAILLE + dots);
  }).join('');
}

/**
 * Marks that stand on the character before, characters that take two cells in some or all terminals, scripts that some
 * terminals write from the right, and what is no character.
 */
const UNSURE = /[\p{M}\p{C}]|[^\p{ASCII}\u00a1-\u058f\u2010-\u2027\u2190-\u21ff]/gu;

/** Text from elsewhere, with one cell for each character. */
export function safe(text: string, { charset }: Glyphs): string {
  const wrong = charset === 'ascii' ? /[^\p{ASCII}]/gu : UNSURE;
  return printable(text).replace(wrong, each => `\\u{${(each.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Without its end, or without its middle where the end says more: `fit('10.0.0.1:80', 6)` is `10…:80`. */
export function fit(
  text: string,
  width: number,
  { ellipsis }: Glyphs,
  keep: 'start' | 'ends' = 'start',
): string {
  if (text.length <= width) return text;
  if (width <= 1) return text.slice(0, Math.max(width, 0));
  const head = keep === 'start' ? width - 1 : Math.floor((width - 1) / 3);
  const tail = width - 1 - head;
  return `${text.slice(0, head)}${ellipsis}${tail === 0 ? '' : text.slice(-tail)}`;
}
