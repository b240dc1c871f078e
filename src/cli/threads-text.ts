/**
 * The engine and the workers in words, for people.
 *
 * Place: `lb4 status`, `lb4 top`, `lb4 doctor` and the line `started`.
 */
import type { WorkerView } from '../model/snapshot.ts';
import { counted } from '../support/counted.ts';

/** Of what runs: those of the chosen engine, and those that serve listeners with TLS besides. */
export function threadsText(engine: string, workers: readonly Pick<WorkerView, 'engine'>[]): string {
  const forTls = engine === 'node' ? 0 : workers.filter(each => each.engine === 'node').length;
  return threadsTextOf(workers.length - forTls, forTls);
}

/** @param forTls workers of the `node` engine beside those of the chosen one */
export function threadsTextOf(workers: number, forTls: number): string {
  const own = workers === 0 ? 'no workers' : counted(workers, 'worker');
  return forTls === 0 ? own : `${own} and ${forTls} with the node engine for TLS`;
}
