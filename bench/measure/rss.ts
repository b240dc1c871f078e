/**
 * The resident memory of a balancer: the sum over its processes, in bytes.
 *
 * Source: Rss of /proc/PID/smaps_rollup, which walks the page tables. VmRSS of /proc/PID/status is the fall-back;
 * newer kernels batch its counters per CPU, so it may be some hundred kilobytes off.
 * Memory that the kernel holds for sockets is not in it; every balancer needs the same two sockets per session.
 */
import { readFileSync } from 'node:fs';

/** Bytes resident now, or undefined where the system does not tell. */
export function residentBytes(pids: readonly number[]): number | undefined {
  let total = 0;
  for (const pid of pids) {
    const kilobytes =
      field(`/proc/${String(pid)}/smaps_rollup`, /^Rss:\s+(\d+) kB/m) ??
      field(`/proc/${String(pid)}/status`, /^VmRSS:\s+(\d+) kB/m);
    if (kilobytes === undefined) return undefined;
    total += kilobytes * 1024;
  }
  return pids.length === 0 ? undefined : total;
}

function field(file: string, pattern: RegExp): number | undefined {
  try {
    const value = pattern.exec(readFileSync(file, 'utf8'))?.[1];
    return value === undefined ? undefined : Number(value);
  } catch {
    return undefined;
  }
}
