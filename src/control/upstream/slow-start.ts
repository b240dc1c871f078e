/**
 * Slow start: the part of its weight and `maxSessions` that a backend gets while it recovers, and how parts of weights
 * become the whole numbers with which strategies calculate.
 *
 * Place: pure; `Ramps` keeps which backends ramp since when, build-plan.ts applies the factors.
 * Ramp: linear from 10 % to all over the configured time, published in 20 steps. Each step has the value of its
 * beginning, so that a backend never gets more than the line allows.
 * Why also `maxSessions`: under least connections an empty backend would get every new session, whatever its
 * weight (HAProxy scales both for that reason).
 */

const STEPS = 20;
/** In thousandths: the share at first, and what each step adds. Whole numbers, so that weights are exact. */
const FIRST = 100;
const PER_STEP = (1000 - FIRST) / STEPS;

/** A whole share. */
export const WHOLE = 1000;
/** Beyond this, weights are rounded: products of weights and counts must stay exact in a double. */
const MOST_WEIGHT = 100_000;

/** The thousandths of its share that a backend gets `elapsedMs` into a slow start of `totalMs`. */
export function rampPermille(elapsedMs: number, totalMs: number): number {
  if (elapsedMs >= totalMs) return WHOLE;
  const step = Math.floor((elapsedMs * STEPS) / totalMs);
  return FIRST + PER_STEP * Math.max(step, 0);
}

/** Milliseconds until the next step; 0 when there is none. */
export function untilNextStep(elapsedMs: number, totalMs: number): number {
  if (elapsedMs >= totalMs) return 0;
  const step = Math.floor((elapsedMs * STEPS) / totalMs) + 1;
  return Math.max((step * totalMs) / STEPS - elapsedMs, 0);
}

export interface WeightShare {
  readonly weight: number;
  /** What a slow start leaves of it, in thousandths. */
  readonly permille: number;
  /** What the backend's agent leaves of it; above 100 the agent increases it. */
  readonly percent: number;
}

/**
 * Whole numbers in the proportion of weight × permille × percent: the weights themselves where nothing is scaled.
 * A weight above 0 stays at least 1.
 */
export function scaleWeights(shares: readonly WeightShare[]): number[] {
  const isScaled = shares.some(({ permille, percent }) => permille !== WHOLE || percent !== 100);
  if (!isScaled) return shares.map(({ weight }) => weight);
  const exact = shares.map(({ weight, permille, percent }) => weight * permille * percent);
  const divisor = exact.reduce(greatestCommonDivisor, 0);
  if (divisor === 0) return exact;
  const most = exact.reduce((a, b) => Math.max(a, b), 0) / divisor;
  if (most <= MOST_WEIGHT) return exact.map(weight => weight / divisor);
  return exact.map(weight =>
    weight === 0 ? 0 : Math.max(1, Math.floor((weight / divisor / most) * MOST_WEIGHT)),
  );
}

/** A limit of sessions, scaled to a part of the share; at least 1, so that the backend can show that it is well. */
export function scaleMaxSessions(maxSessions: number | undefined, permille: number): number | undefined {
  if (maxSessions === undefined) return undefined;
  return Math.max(1, Math.floor((maxSessions * permille) / WHOLE));
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
