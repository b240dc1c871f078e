/**
 * What all client commands have in common: options, one run or one every `--watch`, and errors in one line.
 *
 * Place: client-commands.ts says which commands there are; this file runs one.
 */
import { parseDuration } from '../../support/duration.ts';
import { printable } from '../../support/printable.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { AdminClient, ClientError, type ClientOptions } from './admin-client.ts';

export interface OutputOptions extends ClientOptions {
  readonly json?: boolean;
  readonly watch?: string;
}

/** What a command needs besides its arguments. */
export interface Surroundings {
  readonly client: AdminClient;
  /** Width of the terminal; 80 where there is none. */
  readonly width: number;
  readonly write: (text: string) => void;
}

/** Shortest and longest time between two looks. */
const WATCH = { least: 100, most: 86_400_000 };

/** Runs a command once; errors of the API and of the way to it end it with one line. */
export async function runClient(
  options: ClientOptions,
  command: (surroundings: Surroundings) => Promise<void>,
): Promise<ExitCode> {
  const surroundings: Surroundings = {
    client: new AdminClient(options),
    width: process.stdout.isTTY ? Math.max(80, process.stdout.columns) : 80,
    write: text => void process.stdout.write(text),
  };
  try {
    await command(surroundings);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    process.stderr.write(`lb4: ${printable(error.message)}\n`);
    return error.isUsage ? EXIT.usage : EXIT.failure;
  }
}

/**
 * A command that shows something: as a table or as JSON, once or again and again.
 * @param show the answer for `--json`, and the same as text
 */
export async function showClient(
  { watch, json = false, ...options }: OutputOptions,
  show: (surroundings: Surroundings) => Promise<{ readonly answer: unknown; readonly text: () => string }>,
): Promise<ExitCode> {
  return runClient(options, async surroundings => {
    const everyMs = watch === undefined ? undefined : durationOf('--watch', watch, WATCH.least, WATCH.most);
    const clear = everyMs !== undefined && !json && process.stdout.isTTY;
    for (let round = 0; ; round++) {
      const { answer, text } = await show(surroundings);
      const shown = json ? `${JSON.stringify(answer)}\n` : text();
      const before = clear ? '\u001b[H\u001b[2J' : round > 0 && !json ? '\n' : '';
      surroundings.write(`${before}${shown}`);
      if (everyMs === undefined) return;
      await pause(everyMs);
    }
  });
}

export function durationOf(option: string, text: string, least: number, most: number): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= least && ms <= most) return ms;
  throw new ClientError(`${option}: expected a duration such as 1s, 500ms or 5m, got ${text}`, {
    isUsage: true,
  });
}

export async function pause(ms: number): Promise<void> {
  await new Promise(resolve => {
    setTimeout(resolve, ms);
  });
}
