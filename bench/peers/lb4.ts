/**
 * lb4 itself, through its command line as a user starts it: the bundle of this repository, as the package ships it.
 *
 * `LB4_BENCH_COMMAND` replaces it (an older build, a stand-in) and gets the same arguments.
 * Builds before the epoll engine know neither --engine nor --workers: what they say under --help decides which peers
 * they can be, so that an old build is never measured under a new name.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../environment.ts';
import type { StartOptions } from '../processes/children.ts';
import type { Launcher } from './launcher.ts';
import type { Peer, PeerTask } from './peer.ts';

/** Which lb4: an engine, and how many data-plane threads (0: all in the main thread). */
export interface Lb4Variant {
  readonly engine: 'node' | 'epoll' | 'auto';
  readonly workers: number;
}

/** A compiled lb4. */
export interface Build {
  /** The words that start it. */
  readonly command: readonly string[];
  /** What the header says of it; undefined: its version. */
  readonly label: string | undefined;
}

export type VariantArguments =
  { readonly ok: true; readonly args: readonly string[] } | { readonly ok: false; readonly reason: string };

/** Where lb4 is started, and with what environment. */
export const LB4_START: StartOptions = { cwd: ROOT, env: cleanEnvironment() };

const NODE_IN_MAIN_THREAD: Lb4Variant = { engine: 'node', workers: 0 };

/** What is measured as lb4: this repository's, or what LB4_BENCH_COMMAND says. */
export const THIS_BUILD: Build = thisBuild();

/** The build in another clone that is compiled. */
export function buildIn(folder: string): Build {
  return { command: [process.execPath, program(folder)], label: `before, in ${folder}` };
}

/** What the package ships, if that build has a bundle; else the compiled files. */
function program(folder: string): string {
  const bundle = join(folder, 'dist/bundle/bin/lb4.js');
  return existsSync(bundle) ? bundle : join(folder, 'dist/bin/lb4.js');
}

/** lb4 as a peer; it is given as many cores as it has workers, one at least. */
export function createLb4(
  launcher: Launcher,
  variant: Lb4Variant & { readonly name: string },
  { command, label }: Build = THIS_BUILD,
): Peer {
  const { name, engine } = variant;
  const workers = variant.workers > 1 ? 2 : 1;
  const options = LB4_START;
  let args: readonly string[] = [];

  return {
    name,
    role: 'subject',
    workers,
    async version() {
      const help = await launcher.run([...command, 'run', '--help'], options);
      if (help === undefined) return { present: false, reason: `${command.join(' ')} cannot be run` };
      const chosen = variantArguments(variant, help);
      if (!chosen.ok) return { present: false, reason: chosen.reason };
      args = chosen.args;
      const told =
        label !== undefined
          ? ({ present: true, version: label } as const)
          : await launcher.askVersion([...command, '--version'], /^.*\d+\.\d+\.\d+.*$/m, options);
      if (!told.present) return told;
      const where =
        variant.workers === 0
          ? 'in the main thread'
          : `${String(variant.workers)} worker${workers === 1 ? '' : 's'}`;
      return { present: true, version: `lb4 ${told.version}, ${engine} engine, ${where}` };
    },
    start: task =>
      launcher.launch([...command, ...argumentsFor(task, launcher), ...args], task.listenPort, {
        ...options,
        cores: workers,
      }),
  };
}

function thisBuild(): Build {
  const replacement = process.env['LB4_BENCH_COMMAND']?.split(' ').filter(word => word !== '');
  if (replacement === undefined) return { command: [process.execPath, program(ROOT)], label: undefined };
  return { command: replacement, label: `LB4_BENCH_COMMAND=${replacement.join(' ')}` };
}

/** TLS needs a file: no option says what a backend is spoken to with. */
function argumentsFor(task: PeerTask, launcher: Launcher): readonly string[] {
  const { tls, backends, listenPort, strategy } = task;
  if (tls === undefined) return runArguments(task);
  // JSON is YAML.
  const config = JSON.stringify({
    log: { level: 'error' },
    listeners: [
      {
        ...{ name: 'bench', bind: `127.0.0.1:${String(listenPort)}`, upstream: 'bench' },
        tls: { cert: tls.cert, key: tls.key },
      },
    ],
    upstreams: [
      {
        ...{ name: 'bench', strategy, health: 'off' },
        backends: backends.map(port => `127.0.0.1:${String(port)}`),
      },
    ],
  });
  return ['-c', launcher.configFile('lb4.yaml', config)];
}

/** The arguments of a silent balancer without health checks. */
export function runArguments({ backends, listenPort, strategy, redis }: PeerTask): readonly string[] {
  return [
    ...['--backends', backends.map(port => `127.0.0.1:${String(port)}`).join(',')],
    ...['--listen', `127.0.0.1:${String(listenPort)}`],
    ...['--strategy', strategy, '--health', 'off', '--log-level', 'error'],
    ...(redis === undefined ? [] : ['--redis', redis]),
  ];
}

/** The arguments that make this variant of a build with that `run --help`, or why it cannot be one. */
export function variantArguments(variant: Lb4Variant, help: string): VariantArguments {
  const knows = (option: string): boolean => new RegExp(`(^|\\s)${option}\\b`).test(help);
  if (knows('--engine') && knows('--workers')) {
    return { ok: true, args: ['--engine', variant.engine, '--workers', String(variant.workers)] };
  }
  const { engine, workers } = NODE_IN_MAIN_THREAD;
  if (variant.engine === engine && variant.workers === workers) return { ok: true, args: [] };
  return { ok: false, reason: 'this build has no --engine and --workers' };
}

/** lb4 takes options from LB4_… variables; those of the person who runs the benchmark must not reach it. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LB4_')));
}
