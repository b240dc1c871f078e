/**
 * Holds back what can happen a thousand times a second: per key one entry, then, while it goes on, one in ten seconds,
 * with the number of those held back. All of them are reported in the end, also when it stops and when lb4 ends.
 *
 * Place: used by the log's subscribers.
 * Invariant: keys, whatever they are, are bounded, and so are the entries in ten seconds: keys beyond the bound count
 * as one.
 */
import type { SetTimer } from '../support/timer.ts';

const WINDOW_MS = 10_000;
const MOST_KEYS = 1_000;
const OTHER_KEYS = '';

export interface SeldomDeps {
  now(): number;
  readonly setTimer: SetTimer;
  /** True: nothing is held back, because everything is to be seen. */
  isOff(): boolean;
}

/** What an entry says about those held back: words after its own, and a field. */
export interface HeldBack {
  readonly words: string;
  readonly fields: { readonly heldBack?: number };
}

type Write = (others: HeldBack) => void;

interface Window {
  readonly endMs: number;
  heldBack: number;
  /** The latest of those held back. */
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
      if (!this.#deps.isOff()) this.#open(counted, write);
      return;
    }
    window.heldBack += times;
    window.write = write;
  }

  /** Reports everything that was held back, and ends. */
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

/** True when there was something to report. */
function close({ heldBack: count, write }: Window): boolean {
  if (count === 0) return false;
  write(heldBack(count - 1));
  return true;
}

function heldBack(count: number): HeldBack {
  if (count === 0) return { words: '', fields: {} };
  return { words: ` (${count} more in ${WINDOW_MS / 1_000} s)`, fields: { heldBack: count } };
}
