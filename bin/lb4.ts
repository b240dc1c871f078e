#!/usr/bin/env node
/**
 * The `lb4` command: hands the arguments to the command line and takes its exit code.
 *
 * Everything but the one file imported here is loaded only once lb4 owns the signals. An error that no other code has
 * caught ends lb4 here, with one line.
 */
import { Signals } from '../src/cli/signals.ts';

/** How long the process may take to end when nothing is left to do. */
const LAST_MS = 500;

let lineFor = (error: unknown): string => `lb4: ${String(error).replaceAll(/\s*\n\s*/g, ' ')}\n`;
const fail = (error: unknown): void => {
  process.stderr.write(lineFor(error));
  process.exit(1);
};
// A command that has a log takes over with a listener of its own.
process.on('uncaughtException', error => {
  if (process.listenerCount('uncaughtException') === 1) fail(error);
});
try {
  const signals = new Signals();
  // Early, because a process that runs out of descriptors cannot load anything later.
  const { failureLine, failureSurroundings } = await import('../src/cli/failure-line.ts');
  const surroundings = failureSurroundings();
  lineFor = error => failureLine(error, surroundings);
  const { outliveReaders } = await import('../src/cli/standard-streams.ts');
  outliveReaders();
  const { main } = await import('../src/cli/program.ts');
  signals.closeDebugger();
  const code = await main(process.argv.slice(2), signals);
  process.exitCode = code;
  // No work is left; a thread that blocks in a system call would still keep the process alive.
  setTimeout(() => {
    void import('../src/cli/exit-at-once.ts').then(({ exitAtOnce }) => exitAtOnce(code));
  }, LAST_MS).unref();
} catch (error) {
  fail(error);
}
