/**
 * stdout and stderr whose readers go away, or whose disk is full: neither ends lb4.
 *
 * Place: called once by `bin/lb4.ts`. A log also handles the errors of its own stream.
 */
import { EXIT } from './exit-codes.ts';

/**
 * A reader of stdout that has gone, as in `lb4 --help | head -1`, has seen what it wanted. Data that could not be
 * written for another reason is a failure. A message that stderr does not take can be written nowhere else.
 */
export function outliveReaders(): void {
  let hasFailed = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || hasFailed) return;
    hasFailed = true;
    process.once('exit', () => (process.exitCode = EXIT.failure));
    process.stderr.write(`lb4: cannot write to standard output: ${error.message}\n`);
  });
  process.stderr.on('error', () => undefined);
}
