/**
 * Starting a timer: injectable, and only where it says so what keeps the process alive.
 *
 * Place: engines, health checks and the resolver; tests pass their own `SetTimer`.
 */

/** Calls back once after `delayMs`, unless the returned function is called before. */
export type SetTimer = (callback: () => void, delayMs: number) => () => void;

/** The longest that a timer of Node's can wait; beyond it, it would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Global timers, unref'd: whoever waits for one holds a socket, and that keeps the process alive. */
export const setUnrefTimer: SetTimer = (callback, delayMs) => {
  const timer = setTimeout(callback, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
};

/** Keeps the process alive while it runs: for what has to happen although nothing else is left. */
export const setKeepingTimer: SetTimer = (callback, delayMs) => {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
};
