/**
 * A table for terminals: columns as wide as their cells, and as a whole no wider than the terminal.
 *
 * Place: the output of commands that read a running instance. Why not a package: this has no frames and no colours, and
 * a long address must lose its middle, not its port.
 */
import { printable } from '../../support/printable.ts';
import { endOf, startOf, widthOf } from './text-width.ts';

export interface Column {
  readonly name: string;
  /** Numbers stand on the right. Default: left. */
  readonly isNumber?: boolean;
  /** Gives way, with … in its middle, where the table is too wide. Default: false. */
  readonly mayShrink?: boolean;
}

const GAP = '  ';
const LEAST = 9;

export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly (string | number)[])[],
  most = 80,
): string {
  const cells = rows.map(row => row.map(cell => printable(String(cell))));
  const widths = columns.map(({ name }, i) =>
    cells.reduce((widest, row) => Math.max(widest, widthOf(row[i] ?? '')), name.length),
  );
  shrink(widths, columns, most);
  const line = (row: readonly string[]): string =>
    columns
      .map(({ isNumber = false }, i) => {
        const width = widths[i] ?? 0;
        const cell = shortened(row[i] ?? '', width);
        const blank = ' '.repeat(Math.max(0, width - widthOf(cell)));
        return isNumber ? `${blank}${cell}` : `${cell}${blank}`;
      })
      .join(GAP)
      .trimEnd();
  return [columns.map(({ name }) => name), ...cells].map(row => `${line(row)}\n`).join('');
}

/** Takes from the widest column that may shrink, until the table fits or all have their least width. */
function shrink(widths: number[], columns: readonly Column[], most: number): void {
  for (;;) {
    const total = widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1));
    if (total <= most) return;
    let widest = -1;
    for (const [i, { mayShrink = false, name }] of columns.entries()) {
      const width = widths[i] ?? 0;
      if (mayShrink && width > Math.max(LEAST, name.length) && width > (widths[widest] ?? 0)) widest = i;
    }
    if (widest === -1) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

/** Without its middle: the end of an address is its port, the end of a path its name. */
function shortened(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const head = Math.floor((width - 1) / 3);
  return `${startOf(text, head)}…${endOf(text, width - 1 - head)}`;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** `3h 5m`, `12s`, `0s`: two units at most. */
export function formatAge(ms: number): string {
  let rest = Math.max(0, Math.floor(ms / 1000));
  const parts: string[] = [];
  for (const [unit, seconds] of UNITS) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
  }
  return parts.slice(0, 2).join(' ') || '0s';
}

/** `0B`, `512B`, `3.4KiB`, `20MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10}${units[unit]}`;
}
