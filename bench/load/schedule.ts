/**
 * When each request of a rate-limited load is to be sent. Pure.
 *
 * Requests come at a constant rate, rounded up to ticks: a timer cannot wake the client for each of ten thousand
 * requests a second, so those of one tick form a small burst, the same for every balancer.
 * Invariant: the plan depends on the rate alone, never on how fast answers come (open loop).
 */

export interface Schedule {
  readonly total: number;
  /** Milliseconds from the start at which request `index` (from 0) is to be sent; never decreasing. */
  plannedMs(index: number): number;
}

export interface ScheduleOptions {
  readonly ratePerSecond: number;
  readonly durationMs: number;
  readonly tickMs: number;
}

/** The plan for a duration; throws a RangeError unless rate, duration and tick are positive. */
export function createSchedule({ ratePerSecond, durationMs, tickMs }: ScheduleOptions): Schedule {
  for (const [name, value] of Object.entries({ ratePerSecond, durationMs, tickMs })) {
    if (!(value > 0 && value < Infinity)) throw new RangeError(`${name} is ${String(value)}`);
  }
  const requestsPerTick = (ratePerSecond / 1000) * tickMs;
  return {
    total: Math.max(Math.floor((ratePerSecond * durationMs) / 1000), 1),
    plannedMs: index => Math.ceil(index / requestsPerTick) * tickMs,
  };
}
