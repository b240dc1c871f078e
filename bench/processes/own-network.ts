/**
 * A run in a network namespace of its own, where root may make one: nothing but the run is on its loopback.
 *
 * Why: the kernel counts segments per namespace, and foreign TIME_WAIT sockets, packet filters and connection tracking
 * stay outside. A new namespace has the kernel's default settings (net.*), not those of the machine;
 * `LB4_BENCH_NETWORK=here` stays where it is.
 */
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** `own`: this is the run inside; `here`: do not make one. */
const VARIABLE = 'LB4_BENCH_NETWORK';
/** Its loopback is down at first. Ends with what the words after it end with. */
const INSIDE = ['unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"'] as const;

/** For the header. */
export function networkInWords(): string {
  return process.env[VARIABLE] === 'own' ? 'in a network namespace of its own' : "in the machine's network";
}

/** Whether the program has to be run again, inside a new namespace. */
export function canOwnNetwork(): boolean {
  if (process.env[VARIABLE] !== undefined) return false;
  const [command, ...args] = [...INSIDE, 'true'];
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** Runs the program at that URL with these arguments in a new namespace; resolves with its exit code. */
export function runInOwnNetwork(program: string, programArgs: readonly string[]): Promise<number> {
  const [command, ...args] = [...INSIDE, process.execPath, ...process.execArgv, fileURLToPath(program)];
  const child = spawn(command, [...args, ...programArgs], {
    stdio: 'inherit',
    env: { ...process.env, [VARIABLE]: 'own' },
  });
  const end = (): void => void child.kill('SIGTERM');
  process.on('SIGINT', end).on('SIGTERM', end);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', code => resolve(code ?? 1));
  });
}
