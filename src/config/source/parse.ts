/**
 * Checks a configuration: anything in, a Config or all its problems out.
 *
 * Place: the end of every way in: files and flags (load.ts) and the library (`createLoadBalancer`).
 * How: the schema and the cross-checks both run over the whole input; zod's issues are turned into sentences that name
 * the place, what was expected and what was found.
 * Invariants:
 * - Never throws on plain data.
 * - Reports every problem, one per place.
 * - Shows no zod jargon.
 */
import type * as z from 'zod';
import { alsoAtText, crossCheck } from '../checks/cross-checks.ts';
import { field } from '../schema/field.ts';
import type { Finding } from '../checks/finding.ts';
import { fieldFacts, type IssueParams } from '../schema/fields.ts';
import { type ConfigIssue, type Path, pathKey } from '../report/issue.ts';
import { nearest } from '../report/nearest.ts';
import { describeAt, describeKey } from '../report/secrets.ts';
import { logSection } from '../schema/log-schema.ts';
import { elementOf, layers, schemaAt, shapeOf } from '../schema/schema-tree.ts';
import { type BackendConfig, type Config, configSchema } from '../schema/schema.ts';
import { backend as backendSchema, weight as weightSchema } from '../schema/upstream-schema.ts';

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

export interface ParseOptions {
  /** Refuse numbers as durations, except 0: in a file, `timeout: 5` would be a trap. Default false. */
  readonly requireUnits?: boolean;
  /**
   * For a value that must not be shown, because it came from an environment variable: the text to show instead.
   * Undefined for all other values.
   */
  readonly written?: (path: Path) => string | undefined;
}

/** Validates `input` whole. The result's config is frozen. */
export function parseConfig(input: unknown, options: ParseOptions = {}): ParsedConfig {
  // Every schema states what it expects; the fallback is for one that does not, and keeps zod's words out.
  const result = configSchema.safeParse(input, { error: () => 'another value' });
  // Of several problems at one place the first is reported: a missing unit before a range.
  const problems: Finding[] = [
    ...(options.requireUnits === true ? numbersAsDurations(input, configSchema, []) : []),
    ...(result.success ? [] : result.error.issues.flatMap(issue => problemsOf(issue, []))),
    ...crossCheck(input, options.written),
  ];
  if (result.success && problems.length === 0) return { ok: true, config: result.data };
  return {
    ok: false,
    issues: withoutEchoes(
      problems.map((problem, index) =>
        // A search for the nearest name costs time, and the hundredth suggestion is of no use.
        toIssue(index < SUGGESTIONS ? problem : { ...problem, known: [] }, input, options),
      ),
    ),
  };
}

/** Validates one backend, as it would stand in the list of its upstream; paths begin at the backend. */
export function parseBackend(
  input: unknown,
):
  | { readonly ok: true; readonly backend: BackendConfig }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] } {
  const result = backendSchema.safeParse(input, { error: () => 'another value' });
  if (result.success) return { ok: true, backend: result.data };
  const at: Path = ['upstreams', 0, 'backends', 0];
  const issues = issuesWithin(result.error, at, { upstreams: [{ backends: [input] }] });
  return { ok: false, issues: issues.map(issue => ({ ...issue, path: issue.path.slice(at.length) })) };
}

/** Validates the section `log` by itself; paths begin with it. */
export function parseLog(
  input: unknown,
):
  | { readonly ok: true; readonly log: Config['log'] }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] } {
  const result = logSection.safeParse(input, { error: () => 'another value' });
  if (result.success) return { ok: true, log: result.data };
  return { ok: false, issues: issuesWithin(result.error, ['log'], { log: input }) };
}

/** What is wrong with a weight; undefined: nothing. */
export function issueOfWeight(input: unknown): ConfigIssue | undefined {
  const result = weightSchema().safeParse(input);
  const expected = result.error?.issues[0]?.message;
  return expected === undefined ? undefined : toIssue({ path: [], expected }, input, {});
}

const SUGGESTIONS = 100;

type ZodIssue = z.core.$ZodIssue;

/** Of a part that was checked by itself, worded as those of a whole configuration, in which it stands `at` a place. */
function issuesWithin({ issues }: z.core.$ZodError, at: Path, around: unknown): ConfigIssue[] {
  const problems = issues.flatMap(issue => problemsOf(issue, at));
  return withoutEchoes(problems.map(problem => toIssue(problem, around, {})));
}

function problemsOf(issue: ZodIssue, base: Path): Finding[] {
  const path: Path = [...base, ...issue.path.map(part => (typeof part === 'symbol' ? String(part) : part))];
  if (issue.code === 'unrecognized_keys') {
    const schema = schemaAt(configSchema, path);
    const known = Object.keys((schema === undefined ? undefined : shapeOf(schema)) ?? {});
    const expected = `one of the keys ${known.join(', ')}`;
    return issue.keys.map(key => ({ path: [...path, key], expected, known, unknownKey: true }));
  }
  const expected = issue.message;
  if (issue.code === 'invalid_union') {
    // The option that at least accepts this type of value has the most useful message.
    const fitting = issue.errors.filter(option => !option.some(isAboutTheWholeValue));
    const [only] = fitting;
    if (only !== undefined && fitting.length === 1) return only.flatMap(inner => problemsOf(inner, path));
  }
  if (issue.code === 'invalid_value') {
    return [{ path, expected, known: issue.values.filter(value => typeof value === 'string') }];
  }
  const params: IssueParams = issue.code === 'custom' ? (issue.params ?? {}) : {};
  return [{ path, expected, ...params }];
}

function isAboutTheWholeValue({ code, path }: ZodIssue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
}

/** Numbers other than 0 in place of a duration. Follows the schema, so cycles in `input` end. */
function numbersAsDurations(input: unknown, schema: z.core.$ZodType, path: Path): Finding[] {
  if (typeof input === 'number') {
    const isDuration = layers(schema).some(layer => fieldFacts.get(layer)?.duration === true);
    return isDuration && input !== 0
      ? [{ path, expected: 'a duration with its unit, such as 250ms, 5s, 10m or 1h' }]
      : [];
  }
  if (Array.isArray(input)) {
    const element = elementOf(schema);
    return element === undefined
      ? []
      : input.flatMap((value: unknown, index) => numbersAsDurations(value, element, [...path, index]));
  }
  return Object.entries(shapeOf(schema) ?? {}).flatMap(([key, inner]) =>
    numbersAsDurations(field(input, key), inner, [...path, key]),
  );
}

function toIssue(problem: Finding, input: unknown, { written }: ParseOptions): ConfigIssue {
  const { path, known = [] } = problem;
  const value = path.reduce<unknown>((inner, part) => field(inner, String(part)), input);
  const lastPart = path.at(-1);
  if (problem.unknownKey === true && typeof lastPart === 'string') {
    const suggestion = nearest(lastPart, known);
    const got = describeKey(path, suggestion);
    const message = `unknown key ${got}; ${
      suggestion === undefined ? `expected ${problem.expected}` : `did you mean "${suggestion}"?`
    }`;
    return issue('unknownKey', problem, got, suggestion, message);
  }
  if (value === undefined && path.length > 0) {
    return issue('missing', problem, 'nothing', undefined, `missing; expected ${problem.expected}`);
  }
  const writtenText = written?.(path);
  const expected = writtenText === undefined ? problem.expected : (problem.withoutValue ?? problem.expected);
  const isEmptied = writtenText !== undefined && value === '';
  const got = `${describeAt(path, writtenText ?? value)}${isEmptied ? ', which is empty' : ''}`;
  const suggestion = typeof value === 'string' ? nearest(value, known) : undefined;
  const message = `expected ${expected}, got ${got}${alsoAtText(problem)}${
    suggestion === undefined ? '' : `; did you mean "${suggestion}"?`
  }`;
  return issue('value', { path, expected }, got, suggestion, message);
}

function issue(
  kind: ConfigIssue['kind'],
  { path, expected }: Finding,
  got: string,
  suggestion: string | undefined,
  message: string,
): ConfigIssue {
  return { path, kind, expected, got, ...(suggestion === undefined ? {} : { suggestion }), message };
}

/** One issue per place; and where a key is only misspelled, its right name is not also reported missing. */
function withoutEchoes(issues: readonly ConfigIssue[]): ConfigIssue[] {
  const meant = new Set(
    issues.flatMap(({ kind, path, suggestion }) =>
      kind === 'unknownKey' && suggestion !== undefined ? [pathKey([...path.slice(0, -1), suggestion])] : [],
    ),
  );
  const seen = new Set<string>();
  return issues.filter(({ kind, path }) => {
    const key = pathKey(path);
    if (seen.has(key) || (kind === 'missing' && meant.has(key))) return false;
    seen.add(key);
    return true;
  });
}
