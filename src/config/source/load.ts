/**
 * Loads a configuration for the command line: flag over environment over file over default.
 *
 * Place: `lb4 run`, `lb4 check` and every reload: file → document.ts → flags.ts → parse.ts.
 * Invariants:
 * - Never throws.
 * - All problems are reported together, each with its line and column, its flag or its variable.
 */
import { readDocument } from './document.ts';
import { configFromFlags, type FlagName, type FlagSource, type RunFlags } from './flags.ts';
import { formatIssues, inOrder } from '../report/format-issues.ts';
import type { Environment } from './interpolate.ts';
import type { ConfigIssue, LocatedIssue, Path, Place } from '../report/issue.ts';
import { parseConfig } from './parse.ts';
import { emptyFile, readText, type UnreadableReason } from './read-text.ts';
import type { Config } from '../schema/schema.ts';
import { thisMachine, type Machine } from '../checks/this-machine.ts';
import { warningsOf } from '../checks/warnings.ts';

export type ConfigLoadResult = {
  /** The environment variables that the file refers to; undefined when it could not be read. */
  readonly variables?: ReadonlySet<string> | undefined;
} & (
  | {
      readonly ok: true;
      readonly config: Config;
      /** The flags and variables that set a part of it, but for the admin API's. */
      readonly options: readonly string[];
      /** Probable mistakes, in the order of the file. */
      readonly warnings: readonly LocatedIssue[];
      /** The place of a value that turned out to be wrong later, such as a file that cannot be read. */
      readonly locate: (issue: ConfigIssue) => LocatedIssue;
      /** Where the value at a path comes from; undefined: it is the default. */
      readonly origin: (path: Path) => Place | undefined;
    }
  | {
      readonly ok: false;
      readonly kind: 'unreadable';
      readonly reason: UnreadableReason;
      readonly message: string;
    }
  | {
      readonly ok: false;
      readonly kind: 'invalid';
      readonly issues: readonly LocatedIssue[];
      /** The issues as lines for people. */
      readonly message: string;
    }
);

export interface LoadRequest {
  /** The file, as the user wrote its path; messages repeat it. */
  readonly file?: string | undefined;
  readonly flags?: RunFlags | undefined;
  /** Whether a flag was typed, or came from its environment variable; default: typed. */
  readonly sourceOf?: ((flag: FlagName) => FlagSource) | undefined;
  /** The environment that `${NAME}` in the file refers to. */
  readonly env: Environment;
  /** Default: the machine that lb4 runs on. */
  readonly machine?: Machine | undefined;
  /** Whether a pipe in place of the file is read, which may take for ever; default true. */
  readonly mayWait?: boolean | undefined;
}

/** A file by itself, without flags. */
export function loadConfigFile(path: string, env: Environment): ConfigLoadResult {
  return loadConfig({ file: path, env });
}

/** A file, flags, or both. Without a file and without backends, the issue names `--backends`. */
export function loadConfig(request: LoadRequest): ConfigLoadResult {
  const { file, flags, sourceOf, env, machine = thisMachine() } = request;
  if (file === undefined) {
    const overlay = configFromFlags(flags ?? {}, undefined, sourceOf);
    return { ...check(overlay, { fileIssues: [], machine, place: () => undefined }), variables: new Set() };
  }
  const read = readText(file, request.mayWait);
  if (!read.ok) return { kind: 'unreadable', ...read };
  const document = readDocument(read.text, env);
  const placed = ({ position, ...issue }: (typeof document.issues)[number]): LocatedIssue => ({
    ...issue,
    place: { file, ...position },
  });
  const { variables } = document;
  if (document.value === undefined) return { ...invalid(document.issues.map(placed)), variables };
  if (document.value === null) return { kind: 'unreadable', ...emptyFile(file) };
  const checked = check(configFromFlags(flags ?? {}, document.value, sourceOf), {
    fileIssues: document.issues.map(placed),
    machine,
    isUnfilled: document.isUnfilled,
    written: document.written,
    place: issue => ({ file, ...document.locate(issue) }),
    origin: path => {
      const position = document.origin(path);
      return position && { file, ...position };
    },
  });
  return { ...checked, variables };
}

/** How messages name the source of a value. */
interface FileContext {
  readonly fileIssues: readonly LocatedIssue[];
  readonly machine: Machine;
  readonly isUnfilled?: (path: Path) => boolean;
  readonly written?: (path: Path) => string | undefined;
  readonly place: (issue: ConfigIssue) => Place | undefined;
  readonly origin?: (path: Path) => Place | undefined;
}

function check(
  { input, origins, issues }: ReturnType<typeof configFromFlags>,
  { fileIssues, machine, isUnfilled, written, place, origin }: FileContext,
): ConfigLoadResult {
  const optionFor = (path: Path) =>
    origins.find(origin => origin.path.every((part, index) => path[index] === part))?.option;
  const writtenInFile = (path: Path) => (optionFor(path) === undefined ? written?.(path) : undefined);
  const parsed = parseConfig(input, { requireUnits: true, written: writtenInFile });
  const found = parsed.ok ? [] : parsed.issues;
  const locate = (issue: ConfigIssue): LocatedIssue => {
    const option = optionFor(issue.path);
    const at = option === undefined ? place(issue) : { option };
    return at === undefined ? issue : { ...issue, place: at };
  };
  const located = found
    .filter(({ path }) => optionFor(path) !== undefined || isUnfilled?.(path) !== true)
    .map(locate);
  const all = [...issues, ...fileIssues, ...located];
  if (!parsed.ok || all.length > 0) return invalid(all);
  const { config } = parsed;
  const warnings = inOrder(warningsOf(config, machine, writtenInFile).map(locate));
  return {
    ok: true,
    options: origins.filter(isOfSessions).map(({ option }) => option),
    config,
    warnings,
    origin: path => {
      const option = optionFor(path);
      return option === undefined ? origin?.(path) : { option };
    },
    locate: issue => locate({ ...issue, path: byPosition(issue.path, config) }),
  };
}

/** How lb4 itself is asked says nothing about what it does with clients. */
function isOfSessions({ path: [first] }: { readonly path: Path }): boolean {
  return first !== 'admin' && first !== 'name';
}

/** The path of a value in an upstream that was named, with the position of that upstream instead. */
function byPosition(path: Path, { upstreams }: Config): Path {
  const [first, name, ...rest] = path;
  if (first !== 'upstreams' || typeof name !== 'string') return path;
  const position = upstreams.findIndex(upstream => upstream.name === name);
  return position < 0 ? path : [first, position, ...rest];
}

function invalid(issues: readonly LocatedIssue[]): ConfigLoadResult {
  const sorted = inOrder(issues);
  return { ok: false, kind: 'invalid', issues: sorted, message: formatIssues(sorted) };
}
