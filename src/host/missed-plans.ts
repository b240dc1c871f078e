/**
 * The workers that have missed plans because they stood still.
 *
 * Place: a part of the fleet, which notes here what it does not send, and waits here before it asks such a worker whether
 * it has applied its plans.
 */
export class MissedPlans {
  readonly #behind = new Map<number, PromiseWithResolve>();

  /** A plan was not sent to this worker. */
  note(worker: number): void {
    if (this.#behind.has(worker)) return;
    let resolve = (): void => undefined;
    const caughtUp = new Promise<void>(resolveIt => (resolve = resolveIt));
    this.#behind.set(worker, { caughtUp, resolve });
  }

  /** The worker has its plans, or is dead and gets them when it starts again. */
  clear(worker: number): void {
    this.#behind.get(worker)?.resolve();
    this.#behind.delete(worker);
  }

  /** Resolves when nothing is missed any more; at once where nothing is. */
  async whenClear(worker: number): Promise<void> {
    await this.#behind.get(worker)?.caughtUp;
  }
}

interface PromiseWithResolve {
  readonly caughtUp: Promise<void>;
  readonly resolve: () => void;
}
