/** How much memory of the machine a process has at the moment. */
import { readFileSync } from 'node:fs';

/** NaN of a process that has just ended: no comparison holds with it. */
export function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}
