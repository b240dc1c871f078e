/**
 * A cap on sessions that run at the same time, for one listener or for the whole instance.
 *
 * Place: the data plane counts every session in and out and holds listeners while the cap is reached.
 * Invariant: `onFull` and `onFree` alternate.
 */
export class SessionLimit {
  readonly #max: number;
  readonly #onFull: () => void;
  readonly #onFree: () => void;
  #open = 0;

  /** @param max Infinity for no limit */
  constructor(max: number, handlers: { onFull(): void; onFree(): void }) {
    this.#max = max;
    this.#onFull = () => handlers.onFull();
    this.#onFree = () => handlers.onFree();
  }

  get open(): number {
    return this.#open;
  }

  get isFull(): boolean {
    return this.#open >= this.#max;
  }

  enter(): void {
    this.#open += 1;
    if (this.#open === this.#max) this.#onFull();
  }

  leave(): void {
    this.#open -= 1;
    if (this.#open === this.#max - 1) this.#onFree();
  }
}
