/**
 * Hysteresis: a verdict changes only after `rise` good or `fall` bad results in a row.
 *
 * Place: pure; the health checker feeds it one probe result at a time.
 * Invariant: a result that confirms the verdict starts the opposite count anew. (In gobetween it does not, so failures
 * days apart add up.)
 */

export interface Verdict {
  readonly healthy: boolean;
  /** Results in a row that contradict the verdict. */
  readonly against: number;
}

export interface Thresholds {
  readonly rise: number;
  readonly fall: number;
}

export function afterProbe(verdict: Verdict, passed: boolean, { rise, fall }: Thresholds): Verdict {
  if (passed === verdict.healthy) return { healthy: verdict.healthy, against: 0 };
  const against = verdict.against + 1;
  const needed = verdict.healthy ? fall : rise;
  return against >= needed ? { healthy: passed, against: 0 } : { healthy: verdict.healthy, against };
}
