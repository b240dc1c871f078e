/**
 * How many further attempts an upstream's sessions may make, so that retries do not finish off what is failing.
 *
 * Place: one per upstream and data plane; the dispatcher counts first attempts and asks for each further one, before a
 * pause that leads to it and when it is made.
 * Rule: over the last ten seconds, further attempts ≤ `percent` of the first ones + 10 · `minPerSecond`. After
 * Finagle's RetryBudget; a window instead of a bucket, so that one number bounds every ten seconds.
 * Invariants:
 * - O(1) in time and memory.
 * - A clock that stands still only makes the window longer.
 */
import type { RetryBudgetSettings } from '../../model/upstream-plan.ts';

const WINDOW_SECONDS = 10;

export class RetryBudget {
  #share = 0;
  #saved = 0;
  /** Per second of the window: first attempts and further ones. */
  readonly #first = new Int32Array(WINDOW_SECONDS);
  readonly #further = new Int32Array(WINDOW_SECONDS);
  #firstInWindow = 0;
  #furtherInWindow = 0;
  /** The last second that is in the window. */
  #second = -1;

  constructor(settings: RetryBudgetSettings) {
    this.configure(settings);
  }

  /** Other rules from now on; what is in the window stays counted. */
  configure({ percent, minPerSecond }: RetryBudgetSettings): void {
    this.#share = percent / 100;
    this.#saved = minPerSecond * WINDOW_SECONDS;
  }

  /** A session makes its first attempt. */
  first(nowMs: number): void {
    const slot = this.#slotOf(nowMs);
    this.#first[slot] = (this.#first[slot] ?? 0) + 1;
    this.#firstInWindow += 1;
  }

  /** Would another attempt be allowed now? */
  allows(nowMs: number): boolean {
    return this.left(nowMs) >= 1;
  }

  /** How many would be. */
  left(nowMs: number): number {
    this.#slotOf(nowMs);
    return Math.max(Math.floor(this.#share * this.#firstInWindow + this.#saved - this.#furtherInWindow), 0);
  }

  /** A session makes another attempt; false when it may not, and then nothing is counted. */
  further(nowMs: number): boolean {
    if (!this.allows(nowMs)) return false;
    const slot = this.#slotOf(nowMs);
    this.#further[slot] = (this.#further[slot] ?? 0) + 1;
    this.#furtherInWindow += 1;
    return true;
  }

  #slotOf(nowMs: number): number {
    const second = Math.floor(nowMs / 1000);
    if (second > this.#second) this.#forgetUntil(second);
    return second % WINDOW_SECONDS;
  }

  #forgetUntil(second: number): void {
    const from = Math.max(this.#second + 1, second - WINDOW_SECONDS + 1, 0);
    for (let each = from; each <= second; each++) {
      const slot = each % WINDOW_SECONDS;
      this.#firstInWindow -= this.#first[slot] ?? 0;
      this.#furtherInWindow -= this.#further[slot] ?? 0;
      this.#first[slot] = 0;
      this.#further[slot] = 0;
    }
    this.#second = second;
  }
}
