/**
 * What is wrong with a configuration: one value per problem, in plain words.
 *
 * Place: produced by parse.ts, document.ts and flags.ts; printed by format-issues.ts, `lb4 check` and the
 * library's errors. Invariant: a value that came from an environment variable is never part of an issue;
 * `got` then shows the text as it stands in the file.
 */

/** Where a value stands in the configuration: keys, and positions in lists from 0. */
export type Path = readonly (string | number)[];

export interface ConfigIssue {
  readonly path: Path;
  /** 'unknownKey': the last part of `path` is the key; 'missing': there is no value; else 'value'. */
  readonly kind: 'value' | 'unknownKey' | 'missing';
  /** What the value should be: "an integer from 0 to 256". */
  readonly expected: string;
  /** What the value is: `-1`, `"5x"`, `a list`, `nothing`. */
  readonly got: string;
  /** The known key or name that was probably meant. */
  readonly suggestion?: string;
  /** The whole problem in a sentence, without its place. */
  readonly message: string;
}

/** Where an issue's value comes from: a file (line and column from 1), or a flag or environment variable. */
export type Place =
  { readonly file: string; readonly line: number; readonly column: number } | { readonly option: string };

export interface LocatedIssue extends ConfigIssue {
  readonly place?: Place;
}

/** `['upstreams', 0, 'backends', 1]` as people write it: `upstreams[0].backends[1]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${String(part)}]`;
    else if (!/^[$\w-]+$/.test(part)) text += `[${shorten(JSON.stringify(part))}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** A value as an issue shows it: short, on one line, without the contents of lists and mappings. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'string') return shorten(JSON.stringify(value));
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value}`;
}

/** Two paths that name the same place have the same key. */
export function pathKey(path: Path): string {
  return JSON.stringify(path);
}

const SHOWN_CHARACTERS = 80;

function shorten(text: string): string {
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}
