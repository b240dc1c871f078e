/**
 * Takes renewed certificates up when their files have changed.
 *
 * Place: composition has one, while a configuration has certificates.
 * How: programs that renew replace certificate and key one after the other. A pair that does not match is looked at again
 * for some seconds before it is reported; what is in use stays in use, and other pairs are not kept waiting.
 * Invariants:
 * - What cannot be used is reported once for each change of a file.
 * - Nothing runs on after `stop`.
 */
import type { ConfigIssue } from '../../config/report/issue.ts';
import { wordsOf } from '../../errors.ts';
import type { SetTimer } from '../../support/timer.ts';

/** Time between two looks at a pair that does not match. */
const AGAIN_MS = 1_000;
/** Events of several files that change together are one look. */
const GATHER_MS = 100;
const PATIENCE_MS = 10_000;

export interface RenewalDeps {
  readonly setTimer: SetTimer;
  /** In milliseconds, of a clock that is never set. */
  now(): number;
  /** Calls back whenever the content of the file has changed; returns what ends that. */
  watch(file: string, onChanged: () => void): () => void;
  /** Reads all files anew, and puts to use what is another thing than what is in use; what cannot be used is returned. */
  renew(): Promise<readonly ConfigIssue[]>;
  onRefused(issues: readonly ConfigIssue[]): void;
  onFailed(reason: string): void;
}

export class Renewal {
  readonly #deps: RenewalDeps;
  readonly #watches = new Map<string, () => void>();
  #cancelLook: (() => void) | undefined;
  #changedMs: number | undefined;
  #isLooking = false;

  constructor(deps: RenewalDeps) {
    this.#deps = deps;
  }

  /** These files are in use from now on. */
  follow(files: ReadonlySet<string>): void {
    for (const [file, close] of this.#watches) {
      if (files.has(file)) continue;
      close();
      this.#watches.delete(file);
    }
    for (const file of files) {
      if (this.#watches.has(file)) continue;
      this.#watches.set(
        file,
        this.#deps.watch(file, () => this.#noteChange()),
      );
      // It may have changed between its reading and the beginning of the watch.
      if (this.#cancelLook === undefined) this.#lookIn(AGAIN_MS);
    }
  }

  stop(): void {
    this.follow(new Set());
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    this.#changedMs = undefined;
  }

  #noteChange(): void {
    this.#changedMs = this.#deps.now();
    this.#lookIn(GATHER_MS);
  }

  #lookIn(ms: number): void {
    this.#cancelLook?.();
    this.#cancelLook = this.#deps.setTimer(() => {
      this.#cancelLook = undefined;
      void this.#look();
    }, ms);
  }

  async #look(): Promise<void> {
    // What changes during a look is looked at afterwards.
    if (this.#isLooking) {
      this.#lookIn(GATHER_MS);
      return;
    }
    this.#isLooking = true;
    try {
      this.#judge(await this.#deps.renew());
    } catch (error) {
      this.#deps.onFailed(wordsOf(error));
    } finally {
      this.#isLooking = false;
    }
  }

  #judge(refused: readonly ConfigIssue[]): void {
    const changedMs = this.#changedMs;
    if (changedMs === undefined || this.#watches.size === 0) return;
    if (refused.length > 0 && this.#deps.now() - changedMs < PATIENCE_MS) {
      this.#lookIn(AGAIN_MS);
      return;
    }
    this.#changedMs = undefined;
    if (refused.length > 0) this.#deps.onRefused(refused);
  }
}
