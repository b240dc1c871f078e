/**
 * A clock that never goes back and is one for all threads: `performance.now` begins in each thread by itself.
 *
 * Place: for times that stand in shared memory.
 */

/** In milliseconds. */
export function sharedNowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
