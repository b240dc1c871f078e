/**
 * How many bytes one direction moves at a time when its bandwidth is limited.
 *
 * Place: pace.ts. Large portions cost fewer system calls, small ones make turns short: a portion is what moves within
 * one tick of the wheel, less where many wait for their turns, but worth its system calls.
 */

/** The tick of the wheel that wakes those that wait. */
export const PACE_TICK_MS = 4;
/** A backlog of this length halves the portions. */
const HALVING_MS = 25;
/** A system call is worth this much, unless so little takes longer than `SMOOTH_MS`. */
const WORTH_A_CALL_BYTES = 1024;
const SMOOTH_MS = 50;
/** As much as a pipe of the epoll engine takes. */
const MOST_BYTES = 256 * 1024;

/**
 * @param rate bytes per second
 * @param backlogMs how long those wait that ask now
 */
export function portion(rate: number, backlogMs: number): number {
  const fair = (rate * PACE_TICK_MS) / 1000 / (1 + backlogMs / HALVING_MS);
  const least = Math.min(WORTH_A_CALL_BYTES, (rate * SMOOTH_MS) / 1000);
  return Math.ceil(Math.min(Math.max(fair, least), MOST_BYTES));
}
