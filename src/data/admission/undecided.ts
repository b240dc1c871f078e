/**
 * The clients of one listener of which gates still want to see bytes, in the order in which they came.
 *
 * Place: a listener's front has one; `Admission` is in it while it waits.
 * Why: such a client holds a place. Many that never send what they have to, and a limit, would keep honest clients out
 * for as long as the gates wait. So the time is short while the listener is paused.
 */
import type { SetTimer } from '../../support/timer.ts';

/** While places are short. An honest sender has its first bytes on the way when it connects. */
export const PATIENCE_MS = 1_000;
/** In one step; others have their turn before the next one. */
const AT_ONCE = 256;

export interface UndecidedClient {
  readonly sinceMs: number;
  /** Its time is over: the gate decides by what there is. It has left before this returns. */
  hurry(): void;
}

export interface UndecidedDeps {
  readonly setTimer: SetTimer;
  now(): number;
  /** Clients wait at the listener for a place. */
  isShort(): boolean;
}

export class Undecided {
  readonly #deps: UndecidedDeps;
  readonly #clients = new Set<UndecidedClient>();
  #isDue = false;

  constructor(deps: UndecidedDeps) {
    this.#deps = deps;
  }

  enter(client: UndecidedClient): void {
    this.#clients.add(client);
    if (this.#deps.isShort()) this.makeRoom();
  }

  leave(client: UndecidedClient): void {
    this.#clients.delete(client);
  }

  /** Places are short: hurries the clients that have waited for a while, now and as long as that is so. */
  makeRoom(): void {
    const [oldest] = this.#clients;
    if (this.#isDue || oldest === undefined) return;
    this.#isDue = true;
    // Never within this call: the place that becomes free would be given away before the caller is done.
    this.#deps.setTimer(() => this.#look(), Math.max(0, oldest.sinceMs + PATIENCE_MS - this.#deps.now()));
  }

  #look(): void {
    this.#isDue = false;
    if (!this.#deps.isShort()) return;
    const latestMs = this.#deps.now() - PATIENCE_MS;
    let hurried = 0;
    for (const client of this.#clients) {
      if (client.sinceMs > latestMs || hurried === AT_ONCE) break;
      client.hurry();
      hurried += 1;
    }
    this.makeRoom();
  }
}
