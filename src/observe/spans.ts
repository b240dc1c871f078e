/**
 * How long states last: begun by one entry, ended by another, which says so.
 *
 * Place: used by the log's subscribers. Keys are names of what is configured or a member; one that leaves is forgotten.
 */
export class Spans {
  readonly #now: () => number;
  readonly #sinceMs = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** It has begun, so long ago. Without effect when that is known already. */
  begin(key: string, agoMs = 0): void {
    if (!this.#sinceMs.has(key)) this.#sinceMs.set(key, this.#now() - agoMs);
  }

  /** Ends it and says how long it has lasted: words, and a field. Both are empty when its beginning was not seen. */
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

/** With one decimal where that says something. */
export function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
