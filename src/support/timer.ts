/**
 * Starting a timer: injectable, and never what keeps the process alive.
 *
 * Place: engines, health checks and the resolver; tests pass their own `SetTimer`.
 */

/** Calls back once after `delayMs`, unless the returned function is called before. */
export type SetTimer = (callback: () => void, delayMs: number) => () => void;

/** Global timers, unref'd: whoever waits for one holds a socket, and that keeps the process alive. */
export const setUnrefTimer: SetTimer = (callback, delayMs) => {
  const timer = setTimeout(callback, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
};
