/**
 * The last words of an `lb4 run` that something else ends: a strategy, or a module that it loads, calls `process.exit`.
 *
 * Place: from the start of `lb4 run` to its end; every exit that lb4 itself orders comes later, or after a defect.
 * Why: such an exit looks like an orderly end, so that a supervisor would not start lb4 again.
 */
import { writeSync } from 'node:fs';
import type { Log } from '../observe/log.ts';
import { atExit } from '../support/at-exit.ts';
import { EXIT } from './exit-codes.ts';

export interface UnorderedExitDeps {
  readonly log: Log;
  readonly process: Pick<NodeJS.Process, 'exitCode'>;
  /** lb4 ends by itself after a defect. */
  readonly isOrdered: () => boolean;
  /** The log does not go to standard error. */
  readonly needsStderr: () => boolean;
}

/** Returns a function that ends it: from now on lb4 orders the exit. */
export function watchForExit({ log, process, isOrdered, needsStderr }: UnorderedExitDeps): () => void {
  return atExit(() => {
    if (isOrdered()) return;
    const code = Number(process.exitCode ?? 0);
    if (code === 0) process.exitCode = EXIT.failure;
    const message = `something in this process has called process.exit(${code}), and ends lb4 with all its sessions: a strategy?`;
    // Before what writes the kept lines: the last that was registered is the first that is called.
    log.write('error', 'exited', message, { code });
    if (needsStderr()) writeSync(2, `lb4: ${message}\n`);
  });
}
