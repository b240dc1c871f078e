/**
 * Measures how late timers run in a thread that moves bytes.
 *
 * Place: each data plane's thread has one. The timer must be one that the engine knows of, so that its wait for sockets
 * is no delay.
 */
import type { Cells } from '../shared-memory/counters/counters.ts';
import { INSTANCE } from '../shared-memory/counters/layout.ts';
import type { SetTimer } from '../support/timer.ts';

const EVERY_MS = 100;

/** Returns a function that ends it. */
export function noteDelays(cells: Cells, now: () => number, setTimer: SetTimer): () => void {
  let cancel: () => void;
  const next = (): void => {
    const dueMs = now() + EVERY_MS;
    cancel = setTimer(() => {
      cells.note(INSTANCE.loopDelay, now() - dueMs);
      next();
    }, EVERY_MS);
  };
  next();
  return () => cancel();
}
