/**
 * Keepalive for connections to backends, set when it could first have an effect.
 *
 * Place: one per engine. Why: setting it takes four system calls for each connection, while clients inherit theirs from
 * the listening socket. The kernel sends no probe before a connection has been quiet for `idleMs`, so nothing is lost
 * by setting it only when the connection is that old; sessions that end before cost no call.
 * Invariants: a connection gets it once, `idleMs` after it was made and at most a second later; one that is closed
 * before never does.
 */
import type { Keepalive } from '../support/socket.ts';
import type { SetTimer } from '../support/timer.ts';
import { Deadlines, type Expiring } from '../support/deadlines.ts';

const SLACK_MS = 1000;

export class LateKeepalives {
  readonly #deadlines: Deadlines;

  constructor(clock: { readonly nowMs: number }, setTimer: SetTimer) {
    this.#deadlines = new Deadlines(() => clock.nowMs, setTimer, SLACK_MS);
  }

  /** The result is to be cancelled when the connection is closed. */
  add(connection: Keepable, keepalive: Keepalive): LateKeepalive {
    const late = new LateKeepalive(connection, keepalive, this.#deadlines);
    this.#deadlines.add(late);
    return late;
  }
}

/** A connection with a socket that can be given keepalive. */
export interface Keepable {
  setKeepalive(keepalive: Keepalive): void;
}

export class LateKeepalive implements Expiring {
  dueMs = 0;
  earlier: Expiring | undefined;
  later: Expiring | undefined;
  readonly #connection: Keepable;
  readonly #keepalive: Keepalive;
  readonly #deadlines: Deadlines;

  constructor(connection: Keepable, keepalive: Keepalive, deadlines: Deadlines) {
    this.#connection = connection;
    this.#keepalive = keepalive;
    this.#deadlines = deadlines;
  }

  get timeoutMs(): number {
    return this.#keepalive.idleMs;
  }

  expire(): void {
    this.#connection.setKeepalive(this.#keepalive);
  }

  cancel(): void {
    this.#deadlines.remove(this);
  }
}
