/**
 * Starts a timer: injectable; it keeps the process alive only where it says so.
 *
 * Place: engines, health checks and the resolver; tests pass their own `SetTimer`.
 */

/** Calls back once after `delayMs`, unless the returned function is called before. */
export type SetTimer = (callback: () => void, delayMs: number) => () => void;

/** Resolves when the work is over, or after this time; rejects as the work does. */
export async function within(work: Promise<unknown>, ms: number, setTimer: SetTimer): Promise<void> {
  let cancel = (): void => undefined;
  const late = new Promise<void>(resolve => (cancel = setTimer(resolve, ms)));
  await Promise.race([work, late]).finally(() => cancel());
}

/** The longest time for a timer of Node's; with more it would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Global timers, unref'd: code that waits for one holds a socket, which keeps the process alive. */
export const setUnrefTimer: SetTimer = (callback, delayMs) => {
  const timer = setTimeout(callback, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
};

/** Keeps the process alive while it runs: for work that has to happen although nothing else is left. */
export const setKeepingTimer: SetTimer = (callback, delayMs) => {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
};

/** Keeps the process alive until the returned function is called. */
export function stayAlive(): () => void {
  const timer = setInterval(() => undefined, MAX_TIMER_MS);
  return () => clearInterval(timer);
}
