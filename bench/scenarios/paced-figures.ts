/**
 * The figures of requests at a fixed rate: their latencies, and how late the client itself was.
 *
 * Place: shared by the scenarios that load with `runPaced`.
 */
import type { PacedResult } from '../load/paced-client.ts';
import { percentile } from '../measure/stats.ts';
import type { Scenario } from './scenario.ts';

/** A request without an answer by then has failed, in milliseconds. */
export const ANSWER_WITHIN_MS = 5_000;

export const PACED_COLUMNS: Scenario['figures'] = [
  { key: 'p50Ms', label: 'p50', unit: 'ms', digits: 3, better: 'lower' },
  { key: 'p99Ms', label: 'p99', unit: 'ms', digits: 3, better: 'lower' },
  { key: 'p999Ms', label: 'p99.9', unit: 'ms', digits: 3, better: 'lower' },
  { key: 'clientLateP99Ms', label: 'client late p99', unit: 'ms', digits: 3, better: 'neither' },
];

/** Throws where no request was answered. */
export function pacedFigures({
  latenciesMs,
  clientLateMs,
}: Pick<PacedResult, 'latenciesMs' | 'clientLateMs'>): Record<string, number> {
  if (latenciesMs.length === 0) throw new Error('no request was answered');
  return {
    p50Ms: percentile(latenciesMs, 50),
    p99Ms: percentile(latenciesMs, 99),
    p999Ms: percentile(latenciesMs, 99.9),
    clientLateP99Ms: percentile(clientLateMs, 99),
  };
}
