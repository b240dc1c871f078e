/**
 * The keys that session tickets are made with: the same for all listeners and workers, so that a client goes on at any of
 * them, and other ones every twelve hours, so that a stolen key opens few sessions.
 *
 * Place: composition gives them to plans. A ticket of keys before is not known any more: that client makes a whole
 * handshake once.
 * Invariant: they are never written anywhere, and another instance has others.
 */
import type { SetTimer } from '../../support/timer.ts';

/** What Node takes: a name, and the keys for HMAC and AES. */
const BYTES = 48;
const LIFETIME_MS = 12 * 60 * 60 * 1000;

export interface TicketKeysDeps {
  randomBytes(count: number): Uint8Array;
  readonly setTimer: SetTimer;
  /** There are others from now on. */
  onRotated(): void;
}

export class TicketKeys {
  readonly #deps: TicketKeysDeps;
  #current: Uint8Array | undefined;
  #cancel: () => void = () => undefined;

  constructor(deps: TicketKeysDeps) {
    this.#deps = deps;
  }

  /** Made when they are first needed; from then on they change. */
  get current(): Uint8Array {
    if (this.#current === undefined) {
      this.#current = this.#deps.randomBytes(BYTES);
      this.#rotateLater();
    }
    return this.#current;
  }

  stop(): void {
    this.#cancel();
  }

  #rotateLater(): void {
    this.#cancel = this.#deps.setTimer(() => {
      this.#current = this.#deps.randomBytes(BYTES);
      this.#rotateLater();
      this.#deps.onRotated();
    }, LIFETIME_MS);
  }
}
