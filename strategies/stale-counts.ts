/**
 * How far to believe late counts of other instances: two ways to allow for the sessions that these have placed since,
 * one for strategies that compare all candidates, one for those that compare two.
 *
 * Place: used in `heard` by `leastconn` (`waterLevel`), `p2c` and `ewma` (`gain`). Pure functions.
 * Why: instances that all go to the least of the same late counts meet there. The unseen sessions are a
 * number here, so belief fades as they become many, without a mode that could be the wrong one.
 * Sources: M. Dahlin, "Interpreting Stale Load Information", ICDCS 1999 (arrivals since, poured over old loads);
 * docs/adr/0009-shared-counts.md.
 */
import type { Candidate } from './strategy.ts';

/** What a candidate is estimated to hold. */
export interface Estimate {
  /** Sessions, at least 0. */
  readonly sessions: number;
  /** At least 1. */
  readonly weight: number;
}

/** Sessions that other instances have on a candidate, as last received; 0 for a candidate without `elsewhere`. */
export function elsewhereOf(candidate: Candidate): number {
  return candidate.elsewhere?.() ?? 0;
}

/**
 * The sessions per weight that the least loaded reach when `unseen` more are poured over all of them like water:
 * Σ max(0, level × weight − sessions) = unseen. With unseen = 0 it is the least load; 0 without estimates.
 * O(n log n).
 */
export function waterLevel(estimates: readonly Estimate[], unseen: number): number {
  const byLoad = estimates.toSorted((a, b) => a.sessions / a.weight - b.sessions / b.weight);
  let level = 0;
  let volume = unseen;
  let width = 0;
  for (const { sessions, weight } of byLoad) {
    if (width > 0 && sessions / weight >= level) break;
    volume += sessions;
    width += weight;
    level = volume / width;
  }
  return level;
}

/**
 * The factor for the others' counts, from 1 to almost 0: 1 while a candidate is missing at most one session on average,
 * and beyond that in inverse proportion to how many it is missing.
 * @param candidates how many the unseen sessions are spread over
 */
export function gain(unseen: number, candidates: number): number {
  return unseen <= candidates ? 1 : candidates / unseen;
}
