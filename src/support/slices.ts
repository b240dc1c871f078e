/**
 * Work that takes long is written as a generator that yields every millisecond or so; the caller says whether others get
 * a turn in between.
 *
 * Place: for work on the main thread that may have to do with 100,000 things at once.
 */
import { setImmediate } from 'node:timers/promises';

/** Yields where others may have a turn. */
export type Sliced<Result> = Generator<undefined, Result, undefined>;

/** For a caller that cannot wait. */
export function atOnce<Result>(work: Sliced<Result>): Result {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** Everything else that waits has its turn between two slices. */
export async function inSlices<Result>(work: Sliced<Result>): Promise<Result> {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    await setImmediate();
  }
}
