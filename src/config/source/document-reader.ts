/**
 * One walk over a parsed YAML document: fills environment variables into its values, finds duplicate keys and aliases
 * that lead nowhere, and records what is needed to find a path again.
 *
 * Place: document.ts, between yaml's nodes and plain data.
 * Invariants:
 * - Linear in the document; follows no alias.
 * - The depth is bounded by yaml-tokens.ts.
 */
import { type Alias, isAlias, isMap, isNode, isScalar, isSeq, Scalar, type YAMLMap } from 'yaml';
import { type Environment, interpolate } from './interpolate.ts';
import { type ConfigIssue, describeValue, type Path, pathKey } from '../report/issue.ts';
import { describeAt, describeKey, isSecret, visiblePath } from '../report/secrets.ts';

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface PositionedIssue extends ConfigIssue {
  readonly position: Position;
}

/** A key with its value, as nodes. */
export interface Entry {
  readonly key: unknown;
  readonly value: unknown;
}

const MOST_ALIASES = 256;
/** How many aliases a document may have, and the message beyond that. */
export const ALIAS_LIMITS = {
  count: MOST_ALIASES,
  words: `aliases expand too far; expected at most ${String(MOST_ALIASES)} of them`,
} as const;

/** Reads one document; its fields are the result. */
export class DocumentReader {
  readonly issues: PositionedIssue[] = [];
  /** The keys of paths whose variables could not be filled in. */
  readonly unfilled = new Set<string>();
  /** What the file says where a variable was filled in, by node. */
  readonly written = new Map<unknown, string>();
  /** The environment variables that the document refers to. */
  readonly variables = new Set<string>();
  /** The node that each alias stands for. */
  readonly targets = new Map<unknown, unknown>();
  /** The entries of each mapping; of duplicates the last, as in the data. */
  readonly entries = new Map<unknown, Map<string, Entry>>();
  /** False: the document has no meaning as data. */
  wellFormed = true;
  readonly #anchors = new Map<string, unknown>();
  readonly #env: Environment;
  readonly #position: (offset: number) => Position;

  constructor(env: Environment, position: (offset: number) => Position) {
    this.#env = env;
    this.#position = position;
  }

  read(node: unknown, path: Path): void {
    if (isAlias(node)) this.#follow(node, path);
    if (isNode(node) && node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) this.#fillIn(node, path);
    if (isSeq(node)) node.items.forEach((item, index) => this.read(item, [...path, index]));
    if (isMap(node)) this.#readMap(node, path);
  }

  #readMap(map: YAMLMap, path: Path): void {
    const entries = new Map<string, Entry>();
    this.entries.set(map, entries);
    for (const { key, value } of map.items) {
      const name = isScalar(key) ? String(key.value) : '';
      const at = [...path, name];
      const earlier = entries.get(name);
      if (earlier !== undefined) {
        const { line } = this.#position(startOf(earlier.key) ?? 0);
        const got = describeKey(at);
        const words = `given twice; it stands in line ${String(line)} already`;
        this.#add(key, sentence(visiblePath(at), 'each key only once', got, words));
      }
      entries.set(name, { key, value });
      this.read(value, at);
    }
  }

  #follow(alias: Alias, path: Path): void {
    const target = this.#anchors.get(alias.source);
    const tooMany = this.targets.size >= ALIAS_LIMITS.count;
    if (target !== undefined && !tooMany) {
      this.targets.set(alias, target);
      return;
    }
    if (!this.wellFormed) return;
    this.wellFormed = false;
    // A password that is not quoted may read as an alias.
    const name = isSecret(path) ? '(not shown)' : alias.source;
    const got = `*${name}`;
    const words = tooMany ? ALIAS_LIMITS.words : `no anchor &${name} stands before the alias ${got}`;
    this.#add(alias, sentence(visiblePath(path), 'an anchor set before', got, words));
  }

  #fillIn(node: Scalar, path: Path): void {
    const text = node.value;
    if (typeof text !== 'string' || !text.includes('${')) return;
    const result = interpolate(text, this.#env);
    for (const name of result.variables) this.variables.add(name);
    if (result.ok) {
      if (result.variables.length > 0) this.written.set(node, text);
      node.value = node.type === Scalar.PLAIN ? typed(result.text) : result.text;
      return;
    }
    this.unfilled.add(pathKey(path));
    for (const name of result.missing) {
      const reference = `\${${name}}`;
      const hint = `set it, or give a default as in \${${name}:-value}`;
      const words = `the environment variable ${name} is not set; ${hint}`;
      this.#add(
        node,
        sentence(
          visiblePath(path),
          `the environment variable ${name} to be set`,
          describeValue(reference),
          words,
        ),
      );
    }
    for (const reference of result.malformed) {
      const expected = '${NAME} or ${NAME:-default}, or $${ for a literal ${';
      this.#add(node, sentence(visiblePath(path), expected, describeAt(path, reference)));
    }
  }

  #add(node: unknown, issue: ConfigIssue): void {
    this.issues.push({ ...issue, position: this.#position(startOf(node) ?? 0) });
  }
}

/** An issue whose sentence needs other words than "expected …, got …". */
export function sentence(
  path: Path,
  expected: string,
  got: string,
  message = `expected ${expected}, got ${got}`,
): ConfigIssue {
  return { path, kind: 'value', expected, got, message };
}

/** The offset at which a node begins. */
export function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

/** What YAML's core schema makes of an unquoted number, true or false. */
function typed(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : text;
}
