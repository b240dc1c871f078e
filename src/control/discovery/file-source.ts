/**
 * A file of targets as a source: read at the start, and again whenever its content has changed.
 *
 * Place: `{ type: file }` of `discovery`.
 */
import { resolve } from 'node:path';
import { systemCode, wordsOf } from '../../errors.ts';
import { watchedFile } from '../../support/file-watch.ts';
import { readSmallFile } from '../../support/small-file.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { DiscoverySource, SourceReports } from './source.ts';
import { readTargets, type Targets } from './targets.ts';

export interface FileSourceDeps {
  /** Relative paths start here. */
  readonly baseDir: string;
  readonly setTimer: SetTimer;
  wallClock(): number;
}

export class FileSource implements DiscoverySource {
  readonly #file: string;
  readonly #deps: FileSourceDeps;
  #end: () => void = () => undefined;

  constructor(path: string, deps: FileSourceDeps) {
    this.#file = resolve(deps.baseDir, path);
    this.#deps = deps;
  }

  start(reports: SourceReports): void {
    const read = (): void => this.#read(reports);
    this.#end = watchedFile(this.#file, read, this.#deps, read);
  }

  stop(): void {
    this.#end();
  }

  #read(reports: SourceReports): void {
    const targets = targetsOf(this.#file);
    if (targets.ok) reports.found(targets.backends);
    else reports.failed(targets.reason);
  }
}

/** What the file says now; a file that cannot be read is a reason, too. */
export function targetsOf(file: string): Targets {
  try {
    return readTargets(readSmallFile(file));
  } catch (error) {
    const code = systemCode(error);
    return { ok: false, reason: code === 'UNKNOWN' ? wordsOf(error) : code };
  }
}
