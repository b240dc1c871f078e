/**
 * The commands that ask or change a running lb4: their arguments and options.
 *
 * Place: a part of program.ts. What a command does is loaded when it is called.
 */
import type { Command } from 'commander';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { AddOptions, ChangeOptions } from './backends.ts';
import type { OutputOptions } from './client-command.ts';
import type { DoctorOptions } from '../doctor/doctor.ts';
import type { TopOptions } from '../top/top.ts';
import type { ReloadOptions } from './reload.ts';
import type { SessionsOptions } from './sessions.ts';
import type { UpgradeOptions } from './upgrade.ts';

export const CLIENT_COMMANDS: readonly string[] = [
  ...[
    'status',
    'backends',
    'sessions',
    'ready',
    'drain',
    'maint',
    'weight',
    'add',
    'remove',
    'reload',
    'upgrade',
    'doctor',
    'top',
  ],
];

/** @param release restores what signals usually do; `done` takes the exit code */
export function addClientCommands(
  program: Command,
  release: () => void,
  done: (code: ExitCode) => void,
): void {
  const command = (name: string, description: string): Command =>
    asking(program.command(name).description(description)).helpOption('-h, --help', 'print this help');
  const run = async (work: () => Promise<ExitCode>): Promise<void> => {
    release();
    done(await work());
  };

  reading(command('status', 'show a running lb4: its listeners and upstreams')).action(
    (options: OutputOptions) => run(async () => (await import('./status.ts')).showStatus(options)),
  );
  reading(command('backends', 'show the backends of a running lb4'))
    .argument('[upstream]', 'only those of this upstream')
    .action((upstream: string | undefined, options: OutputOptions) =>
      run(async () => (await import('./backends.ts')).showBackends(upstream, options)),
    );
  reading(command('sessions', 'show the sessions of a running lb4, or end those that match'))
    .option('--listener <name>', 'only those of this listener')
    .option('--upstream <name>', 'only those of this upstream')
    .option('--backend <address>', 'only those of this backend')
    .option('--client <network>', 'only those of clients in it: 10.0.0.7, 10.0.0.0/8')
    .option('--older-than <duration>', 'only those that began longer ago')
    .option('--more-bytes-than <size>', 'only those that have moved more: 4096, 64KiB, 1MiB')
    .option('--limit <n>', 'the most to show or end (default: 1000)')
    .option('--end', 'reset those that match')
    .action((options: SessionsOptions) =>
      run(async () => (await import('./sessions.ts')).showSessions(options)),
    );
  changing(command('ready', 'let a backend get new sessions again')).action(
    (upstream: string, backend: string, options: ChangeOptions) =>
      run(async () => (await import('./backends.ts')).setState({ upstream, backend }, 'ready', options)),
  );
  waiting(jsonOption(command('drain', 'take a backend out, or end the whole lb4, when sessions have ended')))
    .argument('[upstream]', 'its upstream; without it the whole lb4 drains, as with SIGTERM')
    .argument('[backend]', 'the address of the backend')
    .action((upstream: string | undefined, backend: string | undefined, options: ChangeOptions) =>
      run(async () => {
        if (upstream === undefined) return (await import('./drain.ts')).drainInstance(options);
        if (backend !== undefined)
          return (await import('./backends.ts')).setState({ upstream, backend }, 'drain', options);
        process.stderr.write('lb4: drain takes an upstream and a backend, or neither for the whole lb4\n');
        return EXIT.usage;
      }),
    );
  waiting(changing(command('maint', 'take a backend out, and its checks, too'))).action(
    (upstream: string, backend: string, options: ChangeOptions) =>
      run(async () => (await import('./backends.ts')).setState({ upstream, backend }, 'maint', options)),
  );
  changing(command('weight', 'give a backend another weight'))
    .argument('<n>', '0 to 256; 0: no new sessions')
    .action((upstream: string, backend: string, weight: string, options: ChangeOptions) =>
      run(async () => (await import('./backends.ts')).setWeight({ upstream, backend }, weight, options)),
    );
  changing(command('add', 'add a backend'))
    .option('--weight <n>', 'its weight, 0 to 256 (default: 1)')
    .option('--max-sessions <n>', 'the most sessions that it gets at a time')
    .option('--backup', 'used only when no other backend is well')
    .action((upstream: string, backend: string, options: AddOptions) =>
      run(async () => (await import('./backends.ts')).addBackend({ upstream, backend }, options)),
    );
  jsonOption(command('reload', 'read the configuration file again, and apply it whole or not at all'))
    .option('--dry-run', 'only print what would change')
    .action((options: ReloadOptions) => run(async () => (await import('./reload.ts')).reload(options)));
  jsonOption(command('upgrade', 'start the version that is installed now, and hand over to it')).action(
    (options: UpgradeOptions) => run(async () => (await import('./upgrade.ts')).upgrade(options)),
  );
  command('top', 'watch a running lb4: backends, why they are out, sessions, rates; q quits')
    .option('--once', 'print it once, as plain text')
    .option('--every <duration>', 'time between two looks (default: 1s)')
    .option('--charset <name>', 'braille, block or ascii (default: what the terminal can show)')
    .action((options: TopOptions) => run(async () => (await import('../top/top.ts')).top(options)));
  command('doctor', 'say what limits lb4 on this machine; exit 1 if something fails or will')
    .option('-c, --config <file>', 'judge the machine by this configuration')
    .option('--live', 'ask the running lb4 as well')
    .option('--json', 'print the findings, as one line of JSON')
    .action((options: DoctorOptions) =>
      run(async () => (await import('../doctor/doctor.ts')).doctor(options)),
    );
  waiting(changing(command('remove', 'remove a backend; it is gone with its last session')))
    .option('--force', 'reset its sessions now')
    .action((upstream: string, backend: string, options: ChangeOptions & { force?: boolean }) =>
      run(async () => (await import('./backends.ts')).removeBackend({ upstream, backend }, options)),
    );
}

/** The options that find the instance. */
function asking(command: Command): Command {
  return command
    .option('--name <name>', 'name of the instance (default: default)')
    .option('--admin <address>', 'its admin address: host:port or unix:/path')
    .option('--admin-token-file <file>', 'file with the token for that address');
}

function jsonOption(command: Command): Command {
  return command.option('--json', 'print the answer of the admin API, as one line of JSON');
}

function reading(command: Command): Command {
  return jsonOption(command).option('--watch <duration>', 'show it again and again, such as every 1s');
}

function changing(command: Command): Command {
  return jsonOption(command)
    .argument('<upstream>', 'its upstream')
    .argument('<backend>', 'its address, as configured');
}

function waiting(command: Command): Command {
  return command
    .option('--wait', 'return when its last session has ended')
    .option('--timeout <duration>', 'the longest wait; then exit 1 (default: no limit)');
}
