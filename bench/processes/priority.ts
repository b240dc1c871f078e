/**
 * Load that makes way: a process that runs only when nothing else on its core wants to (SCHED_IDLE).
 *
 * Why: bulk keeps the load core busy without end. Under the usual policy the small requests' client and backend wait
 * for its slices, some milliseconds each, and every balancer's latency is that of the load core.
 */
import { spawnSync } from 'node:child_process';
import { setPriority } from 'node:os';

const LOWEST = 19;

/** For this process, as it is now, and what it starts. Without chrt (util-linux) it is the lowest niceness. */
export function makeWay(): void {
  const { status } = spawnSync('chrt', ['-a', '-i', '-p', '0', String(process.pid)], { stdio: 'ignore' });
  if (status !== 0) setPriority(LOWEST);
}
