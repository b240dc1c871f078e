/**
 * Room for connections that hold a descriptor though no session has them: clients that wait at a paused
 * listener, and connections that `finish` keeps open until the peer has read its last words.
 *
 * Place: one per engine, shared by all its listeners and connections, because descriptors are the process's.
 * Invariant: never more than `limit` places are taken; strangers can fill the room, so nothing may depend on a place.
 */
/** How many places an engine has by default. */
export const WAITING_LIMIT = 1024;

export class Room {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes a place, to be given back exactly once; false when there is none left. */
  take(): boolean {
    if (this.#taken >= this.#limit) return false;
    this.#taken += 1;
    return true;
  }

  leave(): void {
    this.#taken -= 1;
  }
}
