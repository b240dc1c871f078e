/**
 * What the benchmark's programs have in common as programs: talk, exit codes, their certain end.
 */
import { wordsOf } from '../../src/errors.ts';

/** Progress and notes; stdout holds results alone. */
export function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

/** process.exit runs the exit handler of Children, which ends what was started. */
export function endOnSignals(): void {
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
}

/** Ends the program when even the bounds of its single steps have failed. */
export function endAfter(limitMs: number): void {
  setTimeout(() => {
    say('the run hangs: ended');
    process.exit(1);
  }, limitMs).unref();
}

/** What `parse` makes of the arguments. Prints the usage and exits: 0 when it was asked for, 2 for a wrong option. */
export function optionsOrExit<Options>(parse: () => Options | undefined, usage: string): Options {
  try {
    const options = parse();
    if (options !== undefined) return options;
    process.stdout.write(usage);
    process.exit(0);
  } catch (error) {
    say(wordsOf(error));
    process.stderr.write(usage);
    process.exit(2);
  }
}
