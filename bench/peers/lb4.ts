/**
 * lb4 itself, through its command line as a user starts it: the compiled program of this repository.
 *
 * `LB4_BENCH_COMMAND` replaces `node dist/bin/lb4.js` (an older build, a stand-in); it gets the same arguments.
 */
import { ROOT } from '../environment.ts';
import type { Launcher } from './launcher.ts';
import type { Peer } from './peer.ts';

/** lb4 under the given name; `args` are added to the command line, such as an engine or a number of workers. */
export function createLb4(launcher: Launcher, name: string, args: readonly string[] = []): Peer {
  const replacement = process.env['LB4_BENCH_COMMAND'];
  const command = replacement?.split(' ').filter(word => word !== '') ?? [
    process.execPath,
    'dist/bin/lb4.js',
  ];
  const options = { cwd: ROOT, env: cleanEnvironment() };

  return {
    name,
    role: 'subject',
    version: () =>
      replacement === undefined
        ? launcher.askVersion([...command, '--version'], /^.*\d+\.\d+\.\d+.*$/m, options)
        : Promise.resolve({ present: true, version: `LB4_BENCH_COMMAND=${replacement}` }),
    start: (backends, listenPort) =>
      launcher.launch(
        [
          ...command,
          ...['--backends', backends.map(port => `127.0.0.1:${String(port)}`).join(',')],
          ...['--listen', `127.0.0.1:${String(listenPort)}`],
          ...['--strategy', 'roundrobin', '--health', 'off', '--log-level', 'error'],
          ...args,
        ],
        listenPort,
        options,
      ),
  };
}

/** lb4 takes options from LB4_… variables; those of the person who runs the benchmark must not reach it. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LB4_')));
}
