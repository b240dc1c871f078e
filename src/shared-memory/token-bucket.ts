/**
 * A token bucket in one number: the time at which it is full again.
 *
 * Place: arithmetic only, for tables and buckets in shared memory; the caller has the lock.
 * How: a token that is taken moves that time on by `intervalMs`, and it may lie at most `burst` intervals ahead (the
 * generic cell rate algorithm, ITU-T I.371). A bucket that is full is a time that has passed, so zero is a full bucket,
 * and nothing is lost when a full one is forgotten.
 * Invariants:
 * - In any span of time at most `burst` tokens and those that come in it are taken.
 * - Another rate holds at once: what is missing is never more than the new burst.
 */

export interface BucketRule {
  /** A token comes each time that this has passed. */
  readonly intervalMs: number;
  /** The most tokens that are there: 1 or more. */
  readonly burst: number;
}

/** A part of a token that is forgiven, because times are doubles. */
const ROUNDING = 1e-3;

/**
 * Takes a token; false: there is none.
 * @param fullAt where the time is, at `at`
 */
export function takeToken(fullAt: Float64Array, at: number, rule: BucketRule, nowMs: number): boolean {
  const fromMs = missingFrom(fullAt[at] ?? 0, rule, nowMs);
  const isThere = fromMs - nowMs <= (rule.burst - 1 + ROUNDING) * rule.intervalMs;
  fullAt[at] = isThere ? fromMs + rule.intervalMs : fromMs;
  return isThere;
}

/** How long it takes until there is a token; 0: there is one. */
export function untilToken(fullAtMs: number, rule: BucketRule, nowMs: number): number {
  return Math.max(missingFrom(fullAtMs, rule, nowMs) - nowMs - (rule.burst - 1) * rule.intervalMs, 0);
}

function missingFrom(fullAtMs: number, { intervalMs, burst }: BucketRule, nowMs: number): number {
  return Math.min(Math.max(fullAtMs, nowMs), nowMs + burst * intervalMs);
}
