/**
 * What is so while it is so in any worker: a paused listener, an upstream at which sessions wait.
 *
 * Place: kept by the fleet. Invariant: for each name, begin and end alternate, whatever workers begin, end or die.
 */

export class AnyWorker {
  readonly #workers = new Map<string, Set<number>>();
  readonly #onEnd: (name: string) => void;

  /** @param onEnd it is so in no worker any more */
  constructor(onEnd: (name: string) => void) {
    this.#onEnd = onEnd;
  }

  has(name: string): boolean {
    return this.#workers.has(name);
  }

  /** It is so in a worker; true when it was so in none. */
  begin(name: string, worker: number): boolean {
    const workers = this.#workers.get(name);
    if (workers !== undefined) {
      workers.add(worker);
      return false;
    }
    this.#workers.set(name, new Set([worker]));
    return true;
  }

  end(name: string, worker: number): void {
    const workers = this.#workers.get(name);
    if (workers?.delete(worker) !== true || workers.size > 0) return;
    this.#workers.delete(name);
    this.#onEnd(name);
  }

  /** A worker has died. */
  forget(worker: number): void {
    for (const name of [...this.#workers.keys()]) this.end(name, worker);
  }
}
