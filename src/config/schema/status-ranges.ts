/**
 * HTTP statuses as text: `200-399`, `204`, `200-299,301`.
 *
 * Place: checked by the schema, applied by the http probe.
 */

export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

export const STATUS_FORM = 'statuses such as 200, 200-399 or 200-299,301, each from 100 to 599';

/** Undefined when the text says something else. */
export function parseStatusRanges(text: string): readonly StatusRange[] | undefined {
  const ranges: StatusRange[] = [];
  for (const part of text.split(',')) {
    const match = /^\s*(\d{3})(?:-(\d{3}))?\s*$/.exec(part);
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match === null || from < 100 || to > 599 || from > to) return undefined;
    ranges.push({ from, to });
  }
  return ranges;
}
