/**
 * Holding back what can happen a thousand times a second: one entry per key and quiet time, with the number of those
 * that were held back since the one before.
 *
 * Place: used by the log's subscribers.
 */
const QUIET_MS = 10_000;
const MAX_KEYS = 10_000;

/** Calls `write` or not; `more` is text to add to the entry, empty when nothing was held back. */
export type Seldom = (key: string, write: (more: string) => void) => void;

export function createSeldom(now: () => number): Seldom {
  const entries = new Map<string, { atMs: number; heldBack: number }>();
  return (key, write) => {
    // A key may contain a strategy's own words, so there is no telling how many there will be.
    if (entries.size > MAX_KEYS) entries.clear();
    const entry = entries.get(key);
    if (entry !== undefined && now() - entry.atMs < QUIET_MS) {
      entry.heldBack += 1;
      return;
    }
    entries.set(key, { atMs: now(), heldBack: 0 });
    write(entry === undefined || entry.heldBack === 0 ? '' : ` (and ${entry.heldBack} times more before)`);
  };
}
