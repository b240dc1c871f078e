/**
 * A lock in shared memory that outlives its holder.
 *
 * Place: around a few memory accesses that several threads must not mix; the holder calls nothing that can block. The
 * word holds the holder's tag, so that control can find out whether a thread has died with the lock.
 * How: after `SPINS` looks a waiter sleeps by the millisecond (the holder is off its core then), and after 50 of these
 * it gives up. So callers must be able to do without what the lock guards. While it stays locked, later calls of the
 * same thread do not sleep again.
 * Why not a mutex: Node has none for threads that must not block for long.
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

  /** @param index of the word in `words`; @param tag of this thread: not 0, another in each */
  constructor(words: Int32Array, index: number, tag: number) {
    this.#words = words;
    this.#index = index;
    this.#tag = tag;
  }

  /** False: another thread has held it for too long. */
  acquire(): boolean {
    if (this.#take(FREE)) return true;
    for (let spin = 0; spin < SPINS; spin++) {
      // A load does not disturb the holder's core.
      if (Atomics.load(this.#words, this.#index) === FREE && this.#take(FREE)) return true;
    }
    if (this.#isHopeless) return false;
    for (let nap = 0; nap < NAPS; nap++) {
      // No release wakes a sleeper: that would cost each one about the time of a system call.
      Atomics.wait(this.#words, this.#index, Atomics.load(this.#words, this.#index), NAP_MS);
      if (this.#take(FREE)) return true;
    }
    this.#isHopeless = true;
    return false;
  }

  release(): void {
    Atomics.store(this.#words, this.#index, FREE);
  }

  /** Takes the lock from a dead thread; false when that thread does not hold it. */
  takeFrom(tag: number): boolean {
    return this.#take(tag);
  }

  #take(from: number): boolean {
    if (Atomics.compareExchange(this.#words, this.#index, from, this.#tag) !== from) return false;
    this.#isHopeless = false;
    return true;
  }
}
