/**
 * Tables and numbers as text: aligned for a terminal, or Markdown. Pure; knows nothing of what is in them.
 */

/** A table: the first row is the head, the first column is text, the others are numbers. */
export type Rows = readonly (readonly string[])[];

export const NOT_MEASURED = '–';

/** Columns padded to their widest cell: text to the left, numbers to the right. */
export function alignedTable(rows: Rows): string {
  const width = (column: number): number => Math.max(...rows.map(row => row[column]?.length ?? 0));
  return rows
    .map(row =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(width(column)) : cell.padStart(width(column))))
        .join('  ')
        .trimEnd(),
    )
    .map(line => `  ${line}`)
    .join('\n');
}

/** The same in Markdown. */
export function markdownTable(rows: Rows): string {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...body.map(line)].join('\n');
}

/** A number as the tables show it; a dash for what was not measured. */
export function formatNumber(value: number | undefined, digits: number): string {
  if (value === undefined || Number.isNaN(value)) return NOT_MEASURED;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
