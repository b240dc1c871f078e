/**
 * Order statistics over samples: the only arithmetic between a measurement and the table.
 *
 * Medians over rounds, not means: one round disturbed by a neighbour on a shared machine must not move the figure.
 */

/** The middle value, or the mean of the two middle ones; NaN for no values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/**
 * The nearest-rank percentile (0 < percent ≤ 100) of values sorted in ascending order; NaN for no values.
 * Always a value that was really measured, never an interpolation.
 */
export function percentile(sorted: Float64Array | readonly number[], percent: number): number {
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.max(rank, 1) - 1] ?? NaN;
}
