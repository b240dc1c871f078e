/**
 * The sessions that run in one data plane.
 *
 * Place: kept by the data plane. An array in which the last element takes the place of one that leaves: no hashing, and
 * no references from sessions that are over to those that run (deadline-wheel.ts explains what sets do).
 */

/** What the list needs of a session. */
export interface Listed {
  /** Its index in the list; written by the list only. */
  index: number;
}

export class SessionList<T extends Listed> implements Iterable<T> {
  readonly #sessions: T[] = [];

  get size(): number {
    return this.#sessions.length;
  }

  at(index: number): T | undefined {
    return this.#sessions[index];
  }

  add(session: T): void {
    session.index = this.#sessions.push(session) - 1;
  }

  /** Takes out a session that is in the list. */
  delete(session: T): void {
    const last = this.#sessions.pop();
    if (last === undefined || last === session) return;
    this.#sessions[session.index] = last;
    last.index = session.index;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#sessions[Symbol.iterator]();
  }
}
