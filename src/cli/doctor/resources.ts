/** Memory, processors, threads and the clock: what the machine and its control group give to lb4. */
import { cpuThrottling, memoryLimit, threadLimit } from '../../support/cgroup.ts';
import { usableCores } from '../../support/cores.ts';
import { counted } from '../../support/counted.ts';
import { formatBytes } from '../client/table.ts';
import { fail, ok, unknown, warn, type Finding, type Judged } from './finding.ts';
import { meminfo, sockstat, sysctl, textOf, whyUnreadable } from './kernel-files.ts';
import { grouped, percent } from './words.ts';

const MIB = 2 ** 20;
/** The process before its first session, and each worker of it (docs/performance.md). */
const BASE_BYTES = 90 * MIB;
const WORKER_BYTES = 15 * MIB;
/** A session that moves bytes now and then, on the engine that needs more. */
const SESSION_BYTES = 16 * 1024;
const PAGE_BYTES = 4096;
/** Threads of Node itself; with room for what starts for a moment. */
const THREADS = { least: 12, comfortable: 32 };
/** The part of periods after which a quota is felt. */
const OFTEN_THROTTLED = 0.05;
/** Sources of time that take a system call, or a slow device, for each look at the clock. */
const SLOW_CLOCKS = ['hpet', 'acpi_pm', 'jiffies', 'pit'];

export function memory({ machine: { read }, plan }: Judged): Finding[] {
  const check = 'memory';
  const start = BASE_BYTES + WORKER_BYTES * plan.workers;
  const need = start + SESSION_BYTES * (plan.maxSessions ?? 0);
  const limit = memoryLimit(read);
  const available = meminfo(read, 'MemAvailable');
  if (limit === undefined && available === undefined)
    return [unknown(check, whyUnreadable(read, '/proc/meminfo'))];
  const most = Math.min(limit ?? Infinity, available ?? Infinity);
  const what = most === limit ? 'the control group allows' : 'available:';
  const figure = `${what} ${formatBytes(most)}; ${counted(plan.workers, 'worker')} and no session take about ${formatBytes(start)}`;
  const advice =
    most === limit
      ? 'a higher memory limit (MemoryMax=, --memory), or fewer workers'
      : 'more memory, or fewer workers';
  if (most < start) return [fail(check, figure, advice)];
  if (most < need)
    return [
      warn(check, `${figure}, ${grouped(plan.maxSessions ?? 0)} sessions up to ${formatBytes(need)}`, advice),
    ];
  return [ok(check, figure)];
}

/** What the kernel keeps in its sockets' buffers. */
export function socketMemory({ machine: { read } }: Judged): Finding[] {
  const check = 'socket memory';
  const [, pressure, most] = sysctl(read, 'net.ipv4.tcp_mem') ?? [];
  const pages = sockstat(read, 'TCP', 'mem');
  if (pressure === undefined || most === undefined || pages === undefined)
    return [
      unknown(
        check,
        whyUnreadable(read, pages === undefined ? '/proc/net/sockstat' : '/proc/sys/net/ipv4/tcp_mem'),
      ),
    ];
  const figure = `${formatBytes(pages * PAGE_BYTES)} in buffers of TCP, of ${formatBytes(most * PAGE_BYTES)}`;
  const advice = 'sysctl -w net.ipv4.tcp_mem with higher values, or fewer sessions (maxSessions)';
  if (pages >= most * 0.95) return [fail(check, `${figure}: the kernel drops segments`, advice)];
  if (pages >= pressure) return [warn(check, `${figure}: buffers shrink`, advice)];
  return [ok(check, figure)];
}

export function processors({
  machine: {
    read,
    processors: { online, available },
  },
  plan,
}: Judged): Finding[] {
  const check = 'processors';
  const cores = usableCores(read, online, available);
  // The others share the same cores: a client keeps only one of them busy.
  const workers = plan.workers - plan.workersForTls;
  const figure = `${counted(cores.count, 'core')} for ${workers === 0 ? 'the main thread' : counted(workers, 'worker')}${cores.limit === undefined ? '' : ` (${cores.limit})`}`;
  const { periods, throttled } = cpuThrottling(read);
  if (periods > 0 && throttled / periods > OFTEN_THROTTLED) {
    const often = `${percent(throttled, periods)} of the periods of its quota this control group had to wait`;
    return [
      warn(
        check,
        `${figure}; in ${often}`,
        'a higher quota (CPUQuota=, --cpus), or weights instead of quotas',
      ),
    ];
  }
  if (workers > cores.count) return [warn(check, figure, 'workers: auto, or as many as there are cores')];
  return [ok(check, figure)];
}

export function threads({ machine: { read }, plan }: Judged): Finding[] {
  const check = 'threads';
  const limit = threadLimit(read);
  const [least, comfortable] = [THREADS.least + plan.workers, THREADS.comfortable + plan.workers];
  if (limit === undefined) return [ok(check, 'no limit of the control group')];
  const figure = `the control group allows ${grouped(limit)}`;
  const advice = `TasksMax=${comfortable}, or --pids-limit ${comfortable}`;
  if (limit < least) return [fail(check, `${figure}; lb4 takes at least ${least}`, advice)];
  return [limit < comfortable ? warn(check, figure, advice) : ok(check, figure)];
}

export function clock({ machine: { read, isClockSynchronised } }: Judged): Finding[] {
  const check = 'clock';
  const source = textOf(read, '/sys/devices/system/clocksource/clocksource0/current_clocksource')?.trim();
  if (source !== undefined && SLOW_CLOCKS.includes(source))
    return [
      warn(
        check,
        `its source is ${source}: every look at it is slow`,
        'clocksource=tsc at boot, or another kind of machine',
      ),
    ];
  if (typeof isClockSynchronised === 'string') return [unknown(check, isClockSynchronised)];
  if (isClockSynchronised) return [ok(check, 'synchronised')];
  return [
    warn(
      check,
      'not synchronised: times in the log drift apart from those of other machines, and certificates are judged by a wrong date',
      'systemd-timesyncd, chrony or the time service of the virtual machine',
    ),
  ];
}
