/**
 * Makes numbers of sessions that come from outside safe to calculate with.
 *
 * Place: everything that is read of other instances passes here before it is added up or stored in 32 bits.
 */

/**
 * More than a backend ever holds, and few enough that together with this instance's own sessions they stay below 2^27,
 * up to which `leastconn` compares loads exactly.
 */
export const MOST_SESSIONS_ELSEWHERE = 2 ** 26;

/** A whole number from 0 to `most`; 0 for a value that is no number. */
export function boundedCount(value: number, most: number): number {
  return value > 0 ? Math.min(Math.round(value), most) : 0;
}
