/**
 * The outcome of a reload: what has changed, or why nothing has.
 *
 * Place: `src/config/diff.ts` finds the changes, `src/cli/reloader.ts` makes the report; the log and the admin API show it.
 * Invariant: plain data without secrets, ready for `JSON.stringify`.
 */

/** What asked for the reload: SIGHUP, a changed file (`--watch`), or the admin API. */
export type ReloadTrigger = 'signal' | 'watch' | 'api';

/** One difference between two configurations. */
export interface ConfigChange {
  readonly kind: 'added' | 'removed' | 'changed';
  /** `key`: a single value. The others are named whole, without their keys, when they come or go. */
  readonly what: 'listener' | 'upstream' | 'backend' | 'key';
  /** Keys and names: `['upstreams', 'app', 'backends', '10.0.0.1:80', 'weight']`. */
  readonly path: readonly string[];
  /** Of a key: its value before, as in the file. Absent where it was not set, and for secrets. */
  readonly from?: string;
  /** Of a key: its value from now on. */
  readonly to?: string;
  /** The change in words. */
  readonly text: string;
}

/** A problem, or a warning, and where it is. */
export interface ReloadProblem {
  /** The whole line for people, with its place. */
  readonly text: string;
  /** The key: `upstreams[0].backends[1].weight`. */
  readonly path?: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

/**
 * Why a reload failed. `refused`: it was not the time for it, or there is no file. `invalid`: a mistake in the file, or in
 * a file that it names. `needsUpgrade`: a key that cannot change while lb4 runs. `failed`: anything else, such as an
 * address that is taken.
 */
export type ReloadFailure = 'refused' | 'invalid' | 'needsUpgrade' | 'failed';

interface ReloadBase {
  /** When it ended: ISO 8601, UTC. */
  readonly at: string;
  readonly trigger: ReloadTrigger;
  /** Nothing was to be changed: the report says what would have been. */
  readonly dryRun: boolean;
  /** The configuration file. */
  readonly file?: string;
}

export type ReloadReport = ReloadBase &
  (
    | {
        readonly ok: true;
        readonly changes: readonly ConfigChange[];
        readonly warnings: readonly ReloadProblem[];
      }
    | {
        readonly ok: false;
        readonly reason: ReloadFailure;
        /** Nothing was changed because of these. */
        readonly problems: readonly ReloadProblem[];
      }
  );

/** The last reload that was no dry run, as the admin API shows it. */
export interface LastReload {
  readonly at: string;
  /** For how long it is over. */
  readonly agoMs: number;
  readonly trigger: ReloadTrigger;
  readonly file?: string | undefined;
  /** False: the configuration is as before. */
  readonly ok: boolean;
  /** How many changes it made; 0 if it failed. */
  readonly changes: number;
  /** The first of these changes, in words. */
  readonly changed: readonly string[];
  /** Why it failed. */
  readonly reason?: ReloadFailure | undefined;
  /** The first of its problems, in words, and how many there were. */
  readonly problems: readonly string[];
  readonly problemsInAll: number;
}
