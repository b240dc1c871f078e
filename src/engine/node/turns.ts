/**
 * Lets sockets that read much go on in later turns of the loop, one socket per turn, after all others had theirs.
 *
 * Place: one per engine. Why: libuv reads a socket up to 32 times per event while its buffer comes back full, which
 * is 8 MiB with a large buffer; eight such flows kept every small request waiting for 40 ms. A request passes the
 * loop twice, so what it waits for is two turns, each as long as one large read and its write (0.1 ms).
 * Invariants: what is put off runs once, in the order of asking; while any of it waits, no poll blocks.
 */
export class Turns {
  #waiting: (() => void)[] = [];
  readonly #run = (): void => {
    const goOn = this.#waiting.shift();
    if (this.#waiting.length > 0) setImmediate(this.#run);
    goOn?.();
  };

  next(goOn: () => void): void {
    if (this.#waiting.push(goOn) === 1) setImmediate(this.#run);
  }
}

/** What the kernel has for us now is read by then: the rest of this poll, and one more. */
export function inTwoTurns(then: () => void): void {
  setImmediate(() => setImmediate(then));
}
