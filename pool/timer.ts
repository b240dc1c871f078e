/**
 * Timers as the pool takes them: injected, one-shot, cancelled through a function.
 *
 * Place: the default of `setTimer` in the dependencies of the warm pool; tests inject a clock of their own.
 * Invariant: a pool's timer never keeps the process alive.
 */
import type { Cancel } from './connection-pool.ts';

/** Calls `callback` once after `ms` milliseconds, never at once, unless cancelled. */
export type SetTimer = (callback: () => void, ms: number) => Cancel;

/** The longest delay that setTimeout keeps; a longer one becomes 1 ms. (pool/ imports nothing from src/.) */
export const MAX_TIMER_MS = 2_147_483_647;

export const setUnrefTimer: SetTimer = (callback, ms) => {
  const timer = setTimeout(callback, ms);
  timer.unref();
  return () => clearTimeout(timer);
};
