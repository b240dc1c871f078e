/**
 * How many processors this process may keep busy, and why that is fewer than the machine has.
 *
 * Place: asked once at start, for `workers: auto`. Node's own `availableParallelism` knows the affinity everywhere, but
 * depending on its version no quota, or one that is rounded down.
 */
import { cpuQuota, type ReadFile } from './cgroup.ts';
import { counted } from './counted.ts';

/** The most threads that balance, whatever is configured and however many processors there are. */
export const MAX_WORKERS = 64;

export interface Cores {
  readonly count: number;
  /** Why it is fewer than the machine has; undefined when it is not. */
  readonly limit?: string;
}

/**
 * @param online the processors of the machine
 * @param available the processors that Node considers usable
 */
export function usableCores(read: ReadFile, online: number, available: number): Cores {
  const machine = Math.max(online, 1);
  const allowed = Math.max(Math.min(affinity(read) ?? available, machine), 1);
  const quota = cpuQuota(read);
  if (quota !== undefined && Math.ceil(quota) < allowed) {
    const cpus = Math.round(quota * 100) / 100;
    return { count: Math.ceil(quota), limit: `a CPU quota of ${cpus} on ${counted(machine, 'core')}` };
  }
  if (allowed === machine) return { count: machine };
  return { count: allowed, limit: `an affinity to ${allowed} of ${counted(machine, 'core')}` };
}

/** The processors that this process may run on, such as `0-3,8`; undefined when the system does not report them. */
function affinity(read: ReadFile): number | undefined {
  let list: string | undefined;
  try {
    list = /^Cpus_allowed_list:\s*(\S+)/m.exec(read('/proc/self/status'))?.[1];
  } catch {
    return undefined;
  }
  return list?.split(',').reduce((sum, range) => {
    const [from = 0, to = from] = range.split('-').map(Number);
    return sum + to - from + 1;
  }, 0);
}
