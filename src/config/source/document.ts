/**
 * A configuration file's text as plain data, and the way back from a path to its line and column.
 *
 * Place: load.ts passes it the text; parse.ts checks `value`. YAML 1.2 (core schema), of which JSON is a subset; no
 * merge keys, no tags, one document; duplicate keys are problems; aliases, depth and size are bounded.
 * Why environment variables are filled in here: only here is it known what was quoted. `${N}` alone may become a number
 * or true/false, `"${N}"` stays text.
 * Invariants: never throws; costs at most linear time.
 */
import { Composer, type Document, isScalar, isSeq, LineCounter } from 'yaml';
import {
  ALIAS_LIMITS,
  DocumentReader,
  type Position,
  type PositionedIssue,
  sentence,
  startOf,
} from './document-reader.ts';
import type { Environment } from './interpolate.ts';
import { type ConfigIssue, type Path, pathKey } from '../report/issue.ts';
import { readYamlTokens } from './yaml-tokens.ts';

export interface ConfigDocument {
  /** The data, variables filled in; undefined when the text is not well-formed. */
  readonly value: unknown;
  readonly issues: readonly PositionedIssue[];
  /** Whether a variable is missing at this path, so that no other problem of its value is reported. */
  readonly isUnfilled: (path: Path) => boolean;
  /** Where an issue is: its value, its key if that is unknown, else the nearest parent that exists. */
  readonly locate: (issue: Pick<ConfigIssue, 'path' | 'kind'>) => Position;
  /** Where a value stands, or the short form that it is a part of; undefined where the file does not set it. */
  readonly origin: (path: Path) => Position | undefined;
  /** The text as written, for a value that a variable was filled into; else undefined. */
  readonly written: (path: Path) => string | undefined;
  /** The environment variables that the text refers to; undefined when it is no YAML. */
  readonly variables: ReadonlySet<string> | undefined;
}

const SYNTAX_ISSUES_SHOWN = 10;

/** Words for the common mistakes; yaml's own messages are good enough for the rest. */
const YAML_WORDS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'tabs cannot indent YAML; expected spaces',
  NON_STRING_KEY: 'expected a plain word as key, got a list or a mapping',
  TAG_RESOLVE_FAILED: 'tags such as !name have no meaning here; expected a plain value',
  BAD_DIRECTIVE: 'unknown YAML directive',
  BAD_DQ_ESCAPE:
    'not valid YAML: an unknown escape after a backslash; within "…" a backslash is written twice',
};

/** Reads a file's text. Problems are in `issues`; with a `value`, they concern single places only. */
export function readDocument(text: string, env: Environment): ConfigDocument {
  const lines = new LineCounter();
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const composed = compose(text, lines);
  if (!composed.ok) {
    return notWellFormed(
      composed.problems.map(({ offset, message }) => ({
        ...sentence([], 'valid YAML', 'something else', message),
        position: position(offset),
      })),
    );
  }
  const { document } = composed;
  const reader = new DocumentReader(env, position);
  reader.read(document.contents, []);
  const { issues, unfilled, written, variables } = reader;
  if (!reader.wellFormed) return notWellFormed(issues, variables);
  let value: unknown;
  try {
    // yaml counts the anchor as well.
    value = document.toJS({ maxAliasCount: ALIAS_LIMITS.count + 1 });
  } catch {
    // Everything else is checked above: only yaml's own bound on nested aliases can still throw.
    const issue = sentence([], 'fewer aliases', 'too many', ALIAS_LIMITS.words);
    return notWellFormed([...issues, { ...issue, position: position(0) }], variables);
  }
  return {
    value,
    issues,
    isUnfilled: path => unfilled.has(pathKey(path)),
    locate({ path, kind }) {
      const { node, key, found } = nodeAt(document.contents, path, reader);
      const offset = kind === 'unknownKey' && found ? startOf(key) : startOf(node);
      return position(offset ?? startOf(key) ?? 0);
    },
    origin(path) {
      const { node, key, found } = nodeAt(document.contents, path, reader);
      const isShort = isScalar(reader.targets.get(node) ?? node);
      const offset = found || isShort ? (startOf(node) ?? startOf(key)) : undefined;
      return offset === undefined ? undefined : position(offset);
    },
    written(path) {
      const { node, found } = nodeAt(document.contents, path, reader);
      return found ? written.get(reader.targets.get(node) ?? node) : undefined;
    },
    variables,
  };
}

function notWellFormed(issues: readonly PositionedIssue[], variables?: ReadonlySet<string>): ConfigDocument {
  return {
    value: undefined,
    issues,
    isUnfilled: () => false,
    locate: () => ({ line: 1, column: 1 }),
    origin: () => undefined,
    written: () => undefined,
    variables,
  };
}

interface SyntaxProblem {
  readonly offset: number;
  readonly message: string;
}

type Composed =
  | { readonly ok: true; readonly document: Document.Parsed }
  | { readonly ok: false; readonly problems: readonly SyntaxProblem[] };

/** The text as the nodes of exactly one YAML document. */
function compose(text: string, lines: LineCounter): Composed {
  const read = readYamlTokens(text, lines);
  if (!read.ok) return { ok: false, problems: [read] };
  const composer = new Composer({
    schema: 'core',
    merge: false,
    prettyErrors: false,
    stringKeys: true,
    // yaml compares every key with every other; DocumentReader finds duplicates in linear time.
    uniqueKeys: false,
  });
  const [document, second] = composer.compose(read.tokens, true, text.length);
  if (second !== undefined) {
    const message = 'a second YAML document begins here; expected only one';
    return { ok: false, problems: [{ offset: second.range[0], message }] };
  }
  const problems = [...(document?.errors ?? []), ...(document?.warnings ?? [])];
  if (document !== undefined && problems.length === 0) return { ok: true, document };
  return {
    ok: false,
    problems: problems.slice(0, SYNTAX_ISSUES_SHOWN).map(({ pos: [offset], code, message }) => ({
      offset,
      message:
        (YAML_WORDS[code] ?? `not valid YAML: ${withoutSource(code, message)}`) +
        quotingHint(text, lines, offset),
    })),
  };
}

/** Without a piece of the file, because that may be a piece of a password. */
function withoutSource(code: string, message: string): string {
  return code === 'UNEXPECTED_TOKEN' ? message.replace(/: .*$/s, '') : message;
}

/** `{ timeout: ${T} }` is no YAML, but yaml's error does not say why. */
function quotingHint(text: string, lines: LineCounter, offset: number): string {
  const { line } = lines.linePos(offset);
  const start = lines.lineStarts[line - 1] ?? 0;
  const isAboutVariable = text.slice(start, lines.lineStarts[line] ?? text.length).includes('${');
  return isAboutVariable ? '; inside { } and [ ] a value with ${…} needs quotes' : '';
}

/** The node at a path and the key it is under, or those of the nearest parent that exists. */
function nodeAt(
  contents: unknown,
  path: Path,
  { targets, entries }: DocumentReader,
): { node: unknown; key: unknown; found: boolean } {
  let node = contents;
  let key: unknown;
  for (const part of path) {
    const parent = targets.get(node) ?? node;
    if (typeof part === 'number') {
      if (!isSeq(parent) || part >= parent.items.length) return { node, key, found: false };
      node = parent.items[part];
      key = undefined;
    } else {
      const entry = entries.get(parent)?.get(part);
      if (entry === undefined) return { node, key, found: false };
      ({ key, value: node } = entry);
    }
  }
  return { node, key, found: true };
}
