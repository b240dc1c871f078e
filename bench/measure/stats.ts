/**
 * Order statistics and the slope of a series: the only arithmetic between a measurement and the table.
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
  // Multiplied first: 99.9 / 100 * 1000 is 999.0000000000001 in floating point, and its rank would be 1000.
  const rank = Math.ceil((percent * sorted.length) / 100);
  return sorted[Math.max(rank, 1) - 1] ?? NaN;
}

/** The least-squares slope, in y per x; NaN for fewer than two different x. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  let products = 0;
  let squares = 0;
  for (const [x, y] of points) {
    products += (x - meanX) * (y - meanY);
    squares += (x - meanX) ** 2;
  }
  return squares === 0 ? NaN : products / squares;
}
