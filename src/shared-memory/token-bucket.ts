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
import type { Rate } from '../support/rate.ts';

export interface BucketRule {
  /** A token comes each time that this has passed. */
  readonly intervalMs: number;
  /** The most tokens that are there: 1 or more. */
  readonly burst: number;
}

/** @param most tokens; by default as many as come in one span of the rate */
export function bucketRule({ count, perMs }: Rate, most = count): BucketRule {
  return { intervalMs: perMs / count, burst: most };
}

/** Gives a token back that was taken and not used. */
export function returnToken(fullAt: Float64Array, at: number, { intervalMs }: BucketRule): void {
  fullAt[at] = (fullAt[at] ?? 0) - intervalMs;
}

/** A part of a token that is forgiven, because times are doubles. */
const ROUNDING = 1e-3;

/**
 * Takes a token; false: there is none.
 * @param fullAt where the time is, at `at`
 */
export function takeToken(
  fullAt: Float64Array,
  at: number,
  { intervalMs, burst }: BucketRule,
  nowMs: number,
): boolean {
  const fromMs = Math.min(Math.max(fullAt[at] ?? 0, nowMs), nowMs + burst * intervalMs);
  const isThere = fromMs - nowMs <= (burst - 1 + ROUNDING) * intervalMs;
  fullAt[at] = isThere ? fromMs + intervalMs : fromMs;
  return isThere;
}
