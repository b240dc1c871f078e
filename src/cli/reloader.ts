/**
 * Reloads the configuration: loads the file again with the same options and environment, validates it whole, finds out
 * what differs, and applies it.
 *
 * Place: `lb4 run` has one; SIGHUP, `--watch` and the admin API ask it.
 * Invariants:
 * - Reloads never overlap; those that are asked for while one waits for its turn are one.
 * - A file that is not applied changes nothing, and the report says why.
 * - Never rejects.
 */
import { changesOfFixed } from '../config/checks/needs-restart.ts';
import { diffConfigs } from '../config/diff.ts';
import { ConfigError } from '../config/report/config-error.ts';
import { formatIssue, inOrder } from '../config/report/format-issues.ts';
import { formatPath, type ConfigIssue, type LocatedIssue } from '../config/report/issue.ts';
import type { Config } from '../config/schema/schema.ts';
import type { ConfigLoadResult } from '../config/source/load.ts';
import { Lb4Error, wordsOf } from '../errors.ts';
import type { LoadBalancerState } from '../model/snapshot.ts';
import type {
  ConfigChange,
  ReloadFailure,
  ReloadProblem,
  ReloadReport,
  ReloadTrigger,
} from '../model/reload-report.ts';

export interface ReloadRequest {
  readonly trigger: ReloadTrigger;
  /** Changes nothing; the report says what would change. Default false. */
  readonly dryRun?: boolean;
}

export interface ReloaderDeps {
  /** The file; undefined where lb4 was started with options only. */
  readonly file: string | undefined;
  /** The configuration that lb4 has started with. */
  readonly config: Config;
  /** Resolves when lb4 has started: earlier reloads wait for it. */
  readonly started: Promise<void>;
  /** Waits while the file is being written. */
  untilWritten(file: string): Promise<void>;
  /** Reads the file, with the options and the environment of the start. */
  load(): ConfigLoadResult;
  /** What the files that the configuration names make impossible, and what is doubtful about them. */
  problemsWithFiles(config: Config): FileProblems | Promise<FileProblems>;
  /** What is another thing in files that both configurations name; asked after `problemsWithFiles` of the later one. */
  changesOfFiles(): Promise<readonly ConfigChange[]>;
  apply(config: Config): Promise<void>;
  state(): LoadBalancerState;
  /** The process that has taken over from this one. */
  successor(): number | undefined;
  wallClock(): number;
  /** A reload that is no dry run begins; `onEnded` follows. */
  onBegin?(): void;
  /** A reload that was no dry run has ended; `config` is in force from now on if it went well. */
  onEnded(report: ReloadReport, config: Config): void;
}

interface FileProblems {
  readonly problems: readonly ConfigIssue[];
  readonly warnings: readonly ConfigIssue[];
}

type Outcome =
  | Pick<ReloadReport & { ok: true }, 'ok' | 'changes' | 'warnings'>
  | Pick<ReloadReport & { ok: false }, 'ok' | 'reason' | 'problems'>;

const NO_FILE = 'there is no configuration file: lb4 was started with options only';

export class Reloader {
  readonly #deps: ReloaderDeps;
  #config: Config;
  #last: ReloadReport | undefined;
  /** How many have taken effect, and how many have not, without dry runs. */
  readonly counts = { done: 0, failed: 0 };
  /** Ends with the last reload that was asked for; never rejects. */
  #queue: Promise<unknown>;
  /** A reload that has not begun. */
  #waiting: Promise<ReloadReport> | undefined;

  constructor(deps: ReloaderDeps) {
    this.#deps = deps;
    this.#config = deps.config;
    this.#queue = deps.started;
  }

  /** The file; undefined where lb4 was started with options only. */
  get file(): string | undefined {
    return this.#deps.file;
  }

  /** Why no reload is possible at all; undefined where one is. */
  get impossible(): string | undefined {
    return this.file === undefined ? NO_FILE : undefined;
  }

  /** As it runs now. */
  get config(): Config {
    return this.#config;
  }

  /** The report of the last reload that was no dry run. */
  get last(): ReloadReport | undefined {
    return this.#last;
  }

  /** Resolves with what has become of it, or of one that was asked for before and had not begun. */
  reload({ trigger, dryRun = false }: ReloadRequest): Promise<ReloadReport> {
    if (!dryRun && this.#waiting !== undefined) return this.#waiting;
    const reloading = this.#queue.then(async () => {
      if (!dryRun) this.#waiting = undefined;
      return this.#reload(trigger, dryRun);
    });
    this.#queue = reloading;
    if (!dryRun) this.#waiting = reloading;
    return reloading;
  }

  async #reload(trigger: ReloadTrigger, dryRun: boolean): Promise<ReloadReport> {
    const { file } = this.#deps;
    if (!dryRun) this.#deps.onBegin?.();
    const outcome = await this.#outcome(dryRun);
    const at = new Date(this.#deps.wallClock()).toISOString();
    const report = { at, trigger, dryRun, ...(file === undefined ? {} : { file }), ...outcome };
    if (dryRun) return report;
    this.#last = report;
    this.counts[report.ok ? 'done' : 'failed'] += 1;
    this.#deps.onEnded(report, this.#config);
    return report;
  }

  async #outcome(dryRun: boolean): Promise<Outcome> {
    const { file } = this.#deps;
    if (file === undefined) {
      return failure('refused', NO_FILE);
    }
    const refusal = (): Outcome => {
      const successor = this.#deps.successor();
      const why =
        successor === undefined
          ? `the configuration can change only while lb4 is running, and it is ${this.#deps.state()}`
          : `after an upgrade process ${successor} has taken over: the configuration can change only there, and this process is ${this.#deps.state()}`;
      return failure('refused', why);
    };
    if (this.#deps.state() !== 'running') return refusal();
    await this.#deps.untilWritten(file);
    const loaded = this.#deps.load();
    if (!loaded.ok) {
      if (loaded.kind === 'unreadable') return failure('invalid', loaded.message);
      return { ok: false, reason: 'invalid', problems: loaded.issues.map(each => problemOf(each)) };
    }
    const { config, locate } = loaded;
    const located = (reason: ReloadFailure, issues: readonly ConfigIssue[]): Outcome => ({
      ...{ ok: false, reason },
      problems: inOrder(issues.map(locate)).map(each => problemOf(each)),
    });
    try {
      const inFiles = await this.#deps.problemsWithFiles(config);
      if (inFiles.problems.length > 0) return located('invalid', inFiles.problems);
      const fixed = changesOfFixed(this.#config, config);
      if (fixed.length > 0) return located('needsUpgrade', fixed);
      const changes = [...diffConfigs(this.#config, config), ...(await this.#deps.changesOfFiles())];
      if (!dryRun) await this.#deps.apply(config);
      if (!dryRun) this.#config = config;
      const warnings = inOrder([...loaded.warnings, ...inFiles.warnings.map(locate)]);
      return { ok: true, changes, warnings: warnings.map(each => problemOf(each)) };
    } catch (error) {
      if (error instanceof ConfigError) return located('invalid', error.issues);
      // A drain has begun meanwhile.
      if (error instanceof Lb4Error && error.code === 'LB4_WRONG_STATE') return refusal();
      return failure('failed', wordsOf(error));
    }
  }
}

function failure(reason: ReloadFailure, text: string): Outcome {
  return { ok: false, reason, problems: [{ text }] };
}

function problemOf(issue: LocatedIssue): ReloadProblem {
  const { path, place } = issue;
  return {
    text: formatIssue(issue),
    ...(path.length === 0 ? {} : { path: formatPath(path) }),
    ...(place !== undefined && 'line' in place ? place : {}),
  };
}
