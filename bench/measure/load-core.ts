/**
 * How busy the load generator is: this process with all it has started, except the balancer, in percent of one core.
 *
 * They share the load core, so near 100 % a latency is that of their own queue, and no longer the balancer's.
 */
import { cpuSinceStart } from './cpu.ts';
import { processTree } from './process-tree.ts';

/** Starts counting now; the returned function tells the percent since. Undefined where the system does not tell. */
export function startLoadMeter(balancer: readonly number[]): () => number | undefined {
  const pids = processTree(process.pid).filter(pid => !balancer.includes(pid));
  const startedAt = performance.now();
  const before = cpuSinceStart(pids);
  return () => {
    const after = cpuSinceStart(pids);
    const ns = (performance.now() - startedAt) * 1e6;
    return before === undefined || after === undefined ? undefined : ((after - before) / ns) * 100;
  };
}
