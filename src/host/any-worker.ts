/**
 * A state that holds while it holds in any worker: a listener is paused, sessions wait at an upstream.
 *
 * Place: kept by the fleet.
 * Invariant: for each name, begin and end alternate, whatever workers begin, end or die.
 */

export class AnyWorker {
  readonly #workers = new Map<string, Set<number>>();
  readonly #onEnd: (name: string) => void;

  /** @param onEnd called when the state holds in no worker any more */
  constructor(onEnd: (name: string) => void) {
    this.#onEnd = onEnd;
  }

  has(name: string): boolean {
    return this.#workers.has(name);
  }

  /** The state begins in a worker; true when it held in none before. */
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
