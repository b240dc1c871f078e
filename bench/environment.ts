/**
 * The header of a result: everything that a reader needs to judge a figure or to repeat the run.
 */
import { spawnSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem, type as osType } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Environment } from './result-file.ts';

/** The repository; the compiled benchmark runs from dist/bench. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The header as of now; `rest` is what only the run itself knows. */
export function describeEnvironment(
  rest: Pick<Environment, 'date' | 'loadBefore' | 'pinning' | 'network' | 'rounds' | 'versions' | 'backends'>,
): Environment {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpuCount: cpus().length,
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    kernel: `${osType()} ${release()}`,
    node: process.version,
    commit: commit(),
    ...rest,
  };
}

/** Processes that wanted a CPU over the last minute, before the run adds its own. */
export function loadAverage(): number {
  return loadavg()[0] ?? NaN;
}

function commit(): string {
  const git = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: ROOT, encoding: 'utf8' });
  return git.status === 0 ? git.stdout.trim() : 'unknown';
}
