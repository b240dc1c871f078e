/**
 * A lock in shared memory that outlives its holder.
 *
 * Place: around a few memory accesses that several threads must not mix; whoever holds it calls nothing that can
 * block. The word holds who has it, so that control can tell whether a thread has died with it.
 * Why not a mutex: Node has none for threads that must not block for long; after a few turns a waiter sleeps by the
 * millisecond (the holder is off its core then), and after some 50 of them it does without: what the lock guards must
 * be dispensable. While it stays locked the next ones do not wait so long again.
 */

const FREE = 0;
const SPINS = 500;
const NAP_MS = 1;
const NAPS = 50;

export class SpinLock {
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #tag: number;
  #isHopeless = false;

  /** @param index of the word in `words`; @param tag who this is: not 0, another in each thread */
  constructor(words: Int32Array, index: number, tag: number) {
    this.#words = words;
    this.#index = index;
    this.#tag = tag;
  }

  /** False: somebody else holds it for too long. */
  acquire(): boolean {
    if (this.#take(FREE)) return true;
    for (let spin = 0; spin < SPINS; spin++) {
      // Only to look leaves the holder's core alone.
      if (Atomics.load(this.#words, this.#index) === FREE && this.#take(FREE)) return true;
    }
    if (this.#isHopeless) return false;
    for (let nap = 0; nap < NAPS; nap++) {
      // Nobody wakes a sleeper: to do so would cost every release a system call's worth of time.
      Atomics.wait(this.#words, this.#index, Atomics.load(this.#words, this.#index), NAP_MS);
      if (this.#take(FREE)) return true;
    }
    this.#isHopeless = true;
    return false;
  }

  release(): void {
    Atomics.store(this.#words, this.#index, FREE);
  }

  /** Takes it from a thread that is dead; false when that one does not hold it. */
  takeFrom(tag: number): boolean {
    return this.#take(tag);
  }

  #take(from: number): boolean {
    if (Atomics.compareExchange(this.#words, this.#index, from, this.#tag) !== from) return false;
    this.#isHopeless = false;
    return true;
  }
}
