/**
 * What is on its way to one receiver, from one look of a session's deadlines to the next.
 *
 * Place: kept by a direction of a relay, from the first look that finds something.
 */
export class Underway {
  /** What had been sent in all, and what of it was left, at the last look. */
  #sentBytes = 0;
  #leftBytes = 0;

  get leftBytes(): number {
    return this.#leftBytes;
  }

  /** Whether the last look has found everything delivered, and nothing was sent since. */
  isSettled(sentBytes: number): boolean {
    return this.#leftBytes === 0 && this.#sentBytes === sentBytes;
  }

  /**
   * Notes a look; true when there was progress: less is left than before. The first look since bytes were sent counts
   * as progress too, because nothing is known of the time before it.
   */
  note(leftBytes: number, sentBytes: number): boolean {
    const isFirst = sentBytes !== this.#sentBytes;
    const isProgress = leftBytes < this.#leftBytes || (isFirst && leftBytes > 0);
    this.#sentBytes = sentBytes;
    this.#leftBytes = leftBytes;
    return isProgress;
  }
}
