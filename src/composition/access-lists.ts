/**
 * What `access` of each listener means: reads the files that it names, and builds the tables that data planes look
 * clients up in.
 *
 * Place: planes.ts asks for it at the start and at each new configuration, `lb4 check` as well. Files are read again each
 * time.
 * Invariants:
 * - A file that cannot be used is a `ConfigError` with the key, the path and the line; then nothing has changed.
 * - One file is read once, however many listeners name it.
 */
import { resolve } from 'node:path';
import { ConfigError } from '../config/report/config-error.ts';
import type { ConfigIssue, Path } from '../config/report/issue.ts';
import { FILE } from '../config/schema/access-schema.ts';
import type { Config } from '../config/schema/schema.ts';
import { readNetworkList, type NetworkList } from '../config/source/network-list.ts';
import { buildAccess, type AccessRule } from '../control/access/build-access.ts';
import { systemCode } from '../errors.ts';
import { DECISION, type AccessPlan, type Decision } from '../model/access-list.ts';
import { NetworkWords } from '../model/network-words.ts';
import type { Sliced } from '../support/slices.ts';

type Listener = Config['listeners'][number];

/** One entry of a rule as it is written: a network or a word, or a file with its entries. */
export interface AccessEntry {
  readonly text: string;
  readonly path: Path;
  readonly isFile: boolean;
  readonly list: NetworkList;
}

/** What becomes of the clients that any of its entries has. */
export interface AccessStep {
  readonly decision: Decision;
  /** It is a word in place of entries: all others. */
  readonly isForOthers: boolean;
  readonly entries: readonly AccessEntry[];
}

/** The steps of one listener, in order, and what becomes of a client that none of them has. */
export interface AccessSteps {
  readonly listener: string;
  readonly steps: readonly AccessStep[];
  readonly otherwise: Decision;
  /** Nothing is refused, only counted and logged. */
  readonly isDryRun: boolean;
}

export interface AccessDeps {
  /** Relative paths start here. */
  readonly baseDir: string;
  readonly readFile: (path: string) => string;
}

const NONE: NetworkList = { networks: new NetworkWords(), lines: [], all: 0, unix: 0 };
const ALL: NetworkList = { ...NONE, all: 1 };
const UNIX: NetworkList = { ...NONE, unix: 1 };
const EXPECTED = 'a file with a network, an IP address, all or unix on each line';

/** Of the listeners that have `access`, by name. Throws a `ConfigError` with every file that cannot be used. */
export function* accessPlans(
  listeners: readonly Listener[],
  deps: AccessDeps,
): Sliced<ReadonlyMap<string, AccessPlan>> {
  const plans = new Map<string, AccessPlan>();
  for (const { listener, steps, otherwise } of yield* accessSteps(listeners, deps)) {
    plans.set(listener, yield* buildAccess(steps.map(ruleOf), otherwise));
  }
  return plans;
}

export function* accessSteps(
  listeners: readonly Listener[],
  deps: AccessDeps,
): Sliced<readonly AccessSteps[]> {
  const issues: ConfigIssue[] = [];
  const read = new Map<string, NetworkList | undefined>();
  const all: AccessSteps[] = [];
  for (const [index, { name: listener, access, whenDenied, dryRun: isDryRun }] of listeners.entries()) {
    if (access === undefined) continue;
    const steps: AccessStep[] = [];
    for (const { allow, deny, at } of access) {
      const isWord = typeof deny === 'string';
      const key: Path = ['listeners', index, 'access', ...at];
      const entries: AccessEntry[] = isWord ? [{ text: deny, path: key, isFile: false, list: ALL }] : [];
      for (const [i, text] of (allow ?? (isWord ? [] : (deny ?? []))).entries()) {
        const path: Path = [...key, i];
        const isFile = text.startsWith(FILE);
        const list = isFile
          ? yield* fileList(resolve(deps.baseDir, text.slice(FILE.length)), path)
          : listOf(text);
        if (list !== undefined) entries.push({ text, path, isFile, list });
      }
      const how = isWord ? deny : whenDenied;
      steps.push({
        decision: allow === undefined ? DECISION[how] : DECISION.allow,
        isForOthers: isWord,
        entries,
      });
    }
    const hasAllow = access.some(({ allow }) => allow !== undefined);
    all.push({ listener, steps, otherwise: hasAllow ? DECISION[whenDenied] : DECISION.allow, isDryRun });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return all;

  function* fileList(file: string, path: Path): Sliced<NetworkList | undefined> {
    if (read.has(file)) return read.get(file);
    const refuse = (found: string): void => {
      const got = `${file} (${found})`;
      issues.push({
        path,
        kind: 'value',
        expected: EXPECTED,
        got,
        message: `expected ${EXPECTED}, got ${got}`,
      });
    };
    read.set(file, undefined);
    let text: string;
    try {
      text = deps.readFile(file);
    } catch (error) {
      refuse(systemCode(error));
      return undefined;
    }
    const result = yield* readNetworkList(text);
    if (!result.ok) {
      refuse(result.found);
      return undefined;
    }
    read.set(file, result.list);
    return result.list;
  }
}

function listOf(text: string): NetworkList {
  if (text === 'all') return ALL;
  if (text === 'unix') return UNIX;
  const networks = new NetworkWords();
  networks.add(text);
  return { ...NONE, networks };
}

function ruleOf({ decision, entries }: AccessStep): AccessRule {
  const lists = entries.map(({ list }) => list);
  return {
    decision,
    networks: lists.map(({ networks }) => networks),
    isAll: lists.some(({ all }) => all > 0),
    isUnix: lists.some(({ unix }) => unix > 0),
  };
}
