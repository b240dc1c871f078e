/**
 * Which CPU does what: one core for the balancer alone, one other core for the load generator and the backends.
 * A balancer with two workers gets two cores; on a machine with only two, the load shares one of them.
 *
 * Place: run.ts plans once, pins itself (backends and ab inherit that), and every balancer is started on its own core.
 * Invariant: two hyperthreads of one core are used only if there is nothing better, and then the plan says so.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** From util-linux. */
const TASKSET = 'taskset';

export interface Pinning {
  /** Words put before a balancer's command for so many cores; empty when nothing is pinned. */
  readonly balancerPrefix: (cores: 1 | 2) => readonly string[];
  /** For the environment header: who runs where, or why nothing is pinned. */
  readonly description: string;
}

/** Everybody runs everywhere. */
export const UNPINNED: Pinning = unpinned('every process may use every CPU');

/** Pins this process and its future children to the load core and plans a core for the balancers. */
export function pinSelf(): Pinning {
  const cpus = allowedCpus();
  const [load] = cpus;
  if (load === undefined) return unpinned('this system does not list its CPUs');
  const others = cpus.filter(cpu => cpu !== load);
  const separate = others.filter(cpu => coreOf(cpu) !== coreOf(load));
  const balancer = separate.at(-1) ?? others.at(-1);
  if (balancer === undefined) return unpinned('only one CPU');

  const pinned = spawnSync(TASKSET, ['-a', '-p', '-c', String(load), String(process.pid)], {
    stdio: 'ignore',
  });
  if (pinned.error !== undefined) return unpinned('taskset (util-linux) is not installed');
  if (pinned.status !== 0) return unpinned('taskset was refused');
  const second = others.filter(cpu => cpu !== balancer).at(-1) ?? load;
  const siblings = separate.length === 0 ? ' (two hyperthreads of one core)' : '';
  return {
    balancerPrefix: cores => [TASKSET, '-c', (cores === 1 ? [balancer] : [second, balancer]).join(',')],
    description: `balancer on CPU ${String(balancer)} (two workers: also ${String(second)}); load and backends on CPU ${String(load)}${siblings}`,
  };
}

function unpinned(reason: string): Pinning {
  return { balancerPrefix: () => [], description: `not pinned: ${reason}` };
}

function allowedCpus(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(read('/proc/self/status'))?.[1];
  if (list === undefined) return [];
  return list.split(',').flatMap(range => {
    const [first = NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

function coreOf(cpu: number): string {
  const topology = `/sys/devices/system/cpu/cpu${String(cpu)}/topology`;
  const core = read(`${topology}/core_id`).trim();
  // Where the system does not tell, every CPU counts as a core of its own.
  return core === '' ? `cpu ${String(cpu)}` : `${read(`${topology}/physical_package_id`).trim()}/${core}`;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
