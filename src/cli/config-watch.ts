/**
 * Watches the configuration file and the lists of `access` that it names.
 *
 * Place: `--watch` of `lb4 run`. Which lists there are changes with each reload.
 * Invariants:
 * - What changes at the same time, as in a ConfigMap of Kubernetes, is reported once.
 * - A list that the configuration in force does not name is watched only while it may come into force: no change
 *   between reading a list and watching it gets lost.
 */
import { resolve } from 'node:path';
import { FILE } from '../config/schema/access-schema.ts';
import type { Config } from '../config/schema/schema.ts';
import { FileWatch, type FileWatchDeps } from '../support/file-watch.ts';

const GATHER_MS = 50;

export class ConfigWatch {
  readonly #file: FileWatch;
  readonly #baseDir: string;
  readonly #deps: FileWatchDeps;
  readonly #lists = new Map<string, FileWatch>();
  #onChanged: (() => void) | undefined;
  #cancelReport: (() => void) | undefined;
  #isClosed = false;

  /** @param baseDir relative paths of lists start here */
  constructor(file: FileWatch, baseDir: string, deps: FileWatchDeps) {
    this.#file = file;
    this.#baseDir = baseDir;
    this.#deps = deps;
  }

  /** The configuration has taken effect: lists that it does not name are not watched any more. */
  follow(config: Pick<Config, 'listeners'>): void {
    const wanted = this.#pathsOf(config);
    for (const [path, watch] of this.#lists) {
      if (wanted.has(path)) continue;
      watch.close();
      this.#lists.delete(path);
    }
  }

  /** Remembers the lists of a configuration as they are now, before they are read. */
  async add(config: Pick<Config, 'listeners'>): Promise<void> {
    const added = [...this.#pathsOf(config)].filter(path => !this.#lists.has(path));
    for (const path of added) {
      const watch = await FileWatch.of(path, this.#deps);
      // Meanwhile another configuration may have been added.
      if (this.#isClosed || this.#lists.has(path)) continue;
      this.#lists.set(path, watch);
      if (this.#onChanged !== undefined) watch.start(() => this.#report());
    }
  }

  start(onChanged: () => void): void {
    this.#onChanged = onChanged;
    for (const watch of [this.#file, ...this.#lists.values()]) watch.start(() => this.#report());
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelReport?.();
    for (const watch of [this.#file, ...this.#lists.values()]) watch.close();
  }

  #pathsOf(config: Pick<Config, 'listeners'>): ReadonlySet<string> {
    return new Set(listsOf(config).map(list => resolve(this.#baseDir, list)));
  }

  #report(): void {
    this.#cancelReport ??= this.#deps.setTimer(() => {
      this.#cancelReport = undefined;
      this.#onChanged?.();
    }, GATHER_MS);
  }
}

function listsOf({ listeners }: Pick<Config, 'listeners'>): string[] {
  const entries = listeners
    .flatMap(({ access = [] }) => access)
    .flatMap(({ allow, deny = [] }) => allow ?? (typeof deny === 'string' ? [] : deny));
  return entries.filter(entry => entry.startsWith(FILE)).map(entry => entry.slice(FILE.length));
}
