/**
 * How long states last: begun by one entry, ended by another, which reports the duration.
 *
 * Place: used by the log's subscribers. Keys are names of configured things or a member; those of one that leaves are
 * forgotten.
 */
export class Spans {
  readonly #now: () => number;
  readonly #sinceMs = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The state began this long ago. Without effect when it is known already. */
  begin(key: string, agoMs = 0): void {
    if (!this.#sinceMs.has(key)) this.#sinceMs.set(key, this.#now() - agoMs);
  }

  /**
   * Ends the state; returns how long it lasted as words and as a field. Both are empty when its beginning was not seen.
   */
  end(key: string): { readonly words: string; readonly fields: { readonly forMs?: number } } {
    const sinceMs = this.#sinceMs.get(key);
    this.#sinceMs.delete(key);
    if (sinceMs === undefined) return { words: '', fields: {} };
    const forMs = Math.round(this.#now() - sinceMs);
    return { words: ` after ${seconds(forMs)}`, fields: { forMs } };
  }

  forget(key: string): void {
    this.#sinceMs.delete(key);
  }
}

/** Whole milliseconds below one second, else seconds with at most one decimal. */
export function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
