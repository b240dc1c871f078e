/**
 * Lets sockets that read much go on in the next turn of the loop, after all others had theirs.
 *
 * Place: one per engine. Why: libuv reads a socket up to 32 times per event while its buffer comes back full, which
 * is 8 MiB with a large buffer; eight such flows kept every small request waiting for 40 ms.
 * Invariant: what is put off runs once, in order, in the check phase of this turn: before the next poll.
 */
export class Turns {
  #waiting: (() => void)[] = [];
  readonly #run = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const goOn of waiting) goOn();
  };

  next(goOn: () => void): void {
    if (this.#waiting.push(goOn) === 1) setImmediate(this.#run);
  }
}
