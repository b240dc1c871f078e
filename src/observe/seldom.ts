/**
 * Holding back what can happen a thousand times a second: per key one entry, then, as long as it goes on, one in ten
 * seconds, with the number of those that were held back. None is left untold, also when it stops, or at the end.
 *
 * Place: used by the log's subscribers.
 * Invariant: whatever the keys are, they are bounded, and so is the number of entries in ten seconds: keys beyond the
 * bound count as one.
 */
import type { SetTimer } from '../support/timer.ts';

const WINDOW_MS = 10_000;
const MOST_KEYS = 1_000;
const OTHER_KEYS = '';

export interface SeldomDeps {
  now(): number;
  readonly setTimer: SetTimer;
  /** Nothing is held back, because everything is to be seen. */
  readonly isOff: boolean;
}

/** What an entry says of others like it: words behind its own, and a field. */
export interface HeldBack {
  readonly words: string;
  readonly fields: { readonly heldBack?: number };
}

type Write = (others: HeldBack) => void;

interface Window {
  readonly endMs: number;
  heldBack: number;
  /** The latest of them. */
  write: Write;
}

export class Seldom {
  readonly #deps: SeldomDeps;
  /** In the order in which they end. */
  readonly #windows = new Map<string, Window>();
  #cancelTimer: (() => void) | undefined;

  constructor(deps: SeldomDeps) {
    this.#deps = deps;
  }

  /** Calls `write` now or later, or counts it. `times`: how often it has happened. */
  tell(key: string, times: number, write: Write): void {
    const isBeyond = !this.#windows.has(key) && this.#windows.size >= MOST_KEYS;
    const counted = isBeyond ? OTHER_KEYS : key;
    const window = this.#windows.get(counted);
    if (window === undefined) {
      write(heldBack(times - 1));
      if (!this.#deps.isOff) this.#open(counted, write);
      return;
    }
    window.heldBack += times;
    window.write = write;
  }

  /** Tells of all that was held back, and ends. */
  end(): void {
    this.#cancelTimer?.();
    for (const window of this.#windows.values()) close(window);
    this.#windows.clear();
  }

  #open(key: string, write: Write): void {
    this.#windows.set(key, { endMs: this.#deps.now() + WINDOW_MS, heldBack: 0, write });
    this.#cancelTimer ??= this.#deps.setTimer(() => this.#closeDue(), WINDOW_MS);
  }

  #closeDue(): void {
    this.#cancelTimer = undefined;
    const now = this.#deps.now();
    for (const [key, window] of this.#windows) {
      if (window.endMs > now) {
        this.#cancelTimer = this.#deps.setTimer(() => this.#closeDue(), window.endMs - now);
        return;
      }
      this.#windows.delete(key);
      if (close(window)) this.#open(key, window.write);
    }
  }
}

/** True when there was something to tell. */
function close({ heldBack: count, write }: Window): boolean {
  if (count === 0) return false;
  write(heldBack(count - 1));
  return true;
}

function heldBack(count: number): HeldBack {
  if (count === 0) return { words: '', fields: {} };
  return { words: ` (${count} more in ${WINDOW_MS / 1_000} s)`, fields: { heldBack: count } };
}
