/**
 * The CPU that a balancer used, in nanoseconds, with all its processes and threads; and whether it could run freely.
 *
 * Source: /proc/PID/task/TID/schedstat: nanoseconds on a CPU, then nanoseconds ready to run but waiting for one.
 * How much of it was user time the kernel only samples, in ticks of 10 ms (utime and stime of /proc/PID/task/TID/stat):
 * their share is good to a few percent over some seconds, and is applied to the exact sum. The kernel charges loopback's packet work to the task
 * that sent the packet, so the balancer pays for its own sends, whichever balancer it is.
 * /proc/stat tells what the hypervisor gave to others: a virtual machine under a quota loses most of its time so.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** What happened between the two readings; a part is undefined where the system does not tell. */
export interface CpuUse {
  readonly balancer: ProcessTimes | undefined;
  /** Share of the machine's CPU time that the hypervisor withheld, in percent. */
  readonly stolenPercent: number | undefined;
}

interface ProcessTimes {
  readonly busyNs: number;
  /** The part of it outside the kernel. */
  readonly userNs: number;
  readonly waitNs: number;
}

interface Readings {
  readonly busyNs: number;
  readonly waitNs: number;
  readonly userTicks: number;
  readonly systemTicks: number;
}

interface MachineTicks {
  readonly all: number;
  readonly stolen: number;
}

/** Fields of the first line of /proc/stat, after its name: user nice system idle iowait irq softirq steal. */
const STEAL_FIELD = 7;

/** Of /proc/PID/task/TID/stat, counted from the state, which follows the name; stime is the next. */
const UTIME_FIELD = 11;

/** Starts counting now; the returned function tells what was used since. No pids: only what the machine tells. */
export function startCpuMeter(pids: readonly number[]): () => CpuUse {
  const machineBefore = machineTicks();
  const before = processTimes(pids);
  return () => {
    const after = processTimes(pids);
    const machineAfter = machineTicks();
    return {
      balancer: before &&
        after && {
          busyNs: after.busyNs - before.busyNs,
          userNs: userShare(before, after) * (after.busyNs - before.busyNs),
          waitNs: after.waitNs - before.waitNs,
        },
      stolenPercent:
        machineBefore &&
        machineAfter &&
        ((machineAfter.stolen - machineBefore.stolen) / Math.max(machineAfter.all - machineBefore.all, 1)) *
          100,
    };
  };
}

/** Nanoseconds that the processes' living threads have used since their start; undefined where the system does not tell. */
export function cpuSinceStart(pids: readonly number[]): number | undefined {
  return processTimes(pids)?.busyNs;
}

function userShare(before: Readings, after: Readings): number {
  const user = after.userTicks - before.userTicks;
  return user / Math.max(user + after.systemTicks - before.systemTicks, 1);
}

function processTimes(pids: readonly number[]): Readings | undefined {
  let found = false;
  let userTicks = 0;
  let systemTicks = 0;
  let busyNs = 0;
  let waitNs = 0;
  for (const pid of pids) {
    for (const thread of threadsOf(pid)) {
      try {
        const folder = `/proc/${String(pid)}/task/${thread}`;
        const fields = readFileSync(`${folder}/schedstat`, 'latin1').split(' ');
        const stat = readFileSync(`${folder}/stat`, 'latin1');
        // The name in parentheses may hold anything.
        const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        userTicks += Number(ticks[UTIME_FIELD]);
        systemTicks += Number(ticks[UTIME_FIELD + 1]);
        busyNs += Number(fields[0]);
        waitNs += Number(fields[1]);
        found = true;
      } catch {
        // The thread ended between the listing and the reading.
      }
    }
  }
  return found ? { busyNs, waitNs, userTicks, systemTicks } : undefined;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${String(pid)}/task`);
  } catch {
    return [];
  }
}

function machineTicks(): MachineTicks | undefined {
  try {
    const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
    // Later fields, for guests, are already contained in user and nice.
    const ticks = line
      .trim()
      .split(/\s+/)
      .slice(1, STEAL_FIELD + 2)
      .map(Number);
    return { all: ticks.reduce((sum, value) => sum + value, 0), stolen: ticks[STEAL_FIELD] ?? 0 };
  } catch {
    return undefined;
  }
}
