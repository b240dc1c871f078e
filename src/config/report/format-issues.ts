/**
 * Problems as lines for people: `lb4.yaml:12:14  upstreams[0].backends[1].weight: expected …, got -1`.
 *
 * Place: what `lb4 check` and `lb4 run` print, and the message of the library's LB4_CONFIG_INVALID.
 */
import { printable } from '../../support/printable.ts';
import { formatPath, type LocatedIssue, type Place } from './issue.ts';

/** One line: the place if there is one, the path, what is wrong. A flag stands for its path. */
export function formatIssue(issue: LocatedIssue): string {
  return printable(textOf(issue));
}

function textOf({ place, path, kind, message }: LocatedIssue, what = ''): string {
  if (place !== undefined && 'option' in place) return `${what}${place.option}: ${message}`;
  // The message itself names an unknown key, so the path given is that of its mapping.
  const pathText = formatPath(kind === 'unknownKey' ? path.slice(0, -1) : path);
  const text = pathText === '' ? message : `${pathText}: ${message}`;
  return place === undefined ? `${what}${text}` : `${inFile(place)}  ${what}${text}`;
}

/** `lb4.yaml:12:14`, or the flag or variable; undefined where it has no place. */
export function placeInWords({ place }: LocatedIssue): string | undefined {
  return place && 'option' in place ? place.option : place && inFile(place);
}

function inFile({ file, line, column }: Extract<Place, { readonly file: string }>): string {
  return `${file}:${String(line)}:${String(column)}`;
}

/** The same for a warning. */
export function formatWarning(issue: LocatedIssue): string {
  return printable(textOf(issue, 'warning: '));
}

/** All issues, one per line. */
export function formatIssues(issues: readonly LocatedIssue[]): string {
  return issues.map(formatIssue).join('\n');
}

/** In the order of the file; those of flags come first. */
export function inOrder(issues: readonly LocatedIssue[]): LocatedIssue[] {
  return issues.toSorted((a, b) => line(a) - line(b) || column(a) - column(b));
}

function line({ place }: LocatedIssue): number {
  return place !== undefined && 'line' in place ? place.line : 0;
}

function column({ place }: LocatedIssue): number {
  return place !== undefined && 'column' in place ? place.column : 0;
}
