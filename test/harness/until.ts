/**
 * Waiting in tests: for a condition, with a deadline and a name to fail by.
 */

/** Resolves once `condition` holds, looking every few milliseconds; rejects after `withinMs` (default 10 s). */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await pause(2);
  }
}

/** Resolves once `value` has stayed the same for `forMs`; to that value. Rejects after `withinMs`. */
export async function untilSteady(
  what: string,
  value: () => number,
  forMs = 150,
  withinMs = 10_000,
): Promise<number> {
  let last = value();
  let since = performance.now();
  await until(
    `${what} is steady`,
    () => {
      const now = value();
      if (now !== last) {
        last = now;
        since = performance.now();
      }
      return performance.now() - since >= forMs;
    },
    withinMs,
  );
  return last;
}

/** For pacing a slow peer, not for waiting until something has happened. */
export async function pause(ms: number): Promise<void> {
  await new Promise(resolve => {
    setTimeout(resolve, ms);
  });
}
