/**
 * The commands that ask or change a running lb4: their arguments and options.
 *
 * Place: a part of program.ts. What a command does is loaded when it is called.
 */
import type { Command } from 'commander';
import type { ExitCode } from '../exit-codes.ts';
import type { OutputOptions } from './client-command.ts';

export const CLIENT_COMMANDS = ['status'] as const;

/** @param release restores what signals usually do; `done` takes the exit code */
export function addClientCommands(
  program: Command,
  release: () => void,
  done: (code: ExitCode) => void,
): void {
  reading(program.command('status').description('show a running lb4: its listeners and upstreams')).action(
    async (options: OutputOptions) => {
      release();
      const { showStatus } = await import('./status.ts');
      done(await showStatus(options));
    },
  );
}

/** The options that find the instance. */
function asking(command: Command): Command {
  return command
    .option('--name <name>', 'name of the instance (default: default)')
    .option('--admin <address>', 'its admin address: host:port or unix:/path')
    .option('--admin-token-file <file>', 'file with the token for that address');
}

function reading(command: Command): Command {
  return asking(command)
    .option('--json', 'print the answer of the admin API, as one line of JSON')
    .option('--watch <duration>', 'show it again and again, such as every 1s');
}
