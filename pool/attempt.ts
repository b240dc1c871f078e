/**
 * One connect under way, and the place of the limit that it takes.
 *
 * Place: created by the warm pool when the limiter has a place; freed through the limiter.
 * Invariants, so that no connection can leak:
 * - starts at most one connect and settles exactly once, with a value, also if `connect` throws or is withdrawn;
 * - a connection that comes too late or twice is reset;
 * - a connection that is still in here when the place is closed is reset.
 */
import type { Cancel, Connect, Connected, Poolable } from './connection-pool.ts';
import { surface } from './surface.ts';

export class Attempt<C extends Poolable, F, Owner> {
  /** The acquire that this connect is for; undefined when it is for a spare, or no longer for any acquire. */
  owner: Owner | undefined;
  readonly #ready: (attempt: this) => void;
  #isSettled = false;
  #outcome: Connected<C, F> | undefined;
  #cancelConnect: Cancel | undefined;

  /** `ready` is called once, when the attempt is settled. */
  constructor(ready: (attempt: Attempt<C, F, Owner>) => void) {
    this.#ready = ready;
  }

  /** The result; undefined while the connect is under way, when it was withdrawn, and after the hand-over. */
  get outcome(): Connected<C, F> | undefined {
    return this.#outcome;
  }

  /** Starts the connect. `failureOfThrow` is the outcome if `connect` breaks its contract by throwing. */
  start(connect: Connect<C, F>, failureOfThrow: F): void {
    try {
      this.#cancelConnect = connect(outcome => this.#settle(outcome));
    } catch (error) {
      surface(error);
      this.#settle({ ok: false, failure: failureOfThrow });
    }
  }

  /** No acquire wants it any more: cancels the connect, or resets the connection that it already brought. */
  withdraw(): void {
    this.close();
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#cancelConnect?.();
    this.#ready(this);
  }

  /** The connection belongs to a session from now on: closing the place leaves it alone. */
  handOver(): void {
    this.#outcome = undefined;
    this.owner = undefined;
  }

  /** The session has left the connection clean: it is in here again. */
  takeBack(connection: C): void {
    this.#outcome = { ok: true, connection };
  }

  /** Resets the connection that is still in here, if any. */
  close(): void {
    if (this.#outcome?.ok === true) this.#outcome.connection.reset();
    this.#outcome = undefined;
  }

  #settle(outcome: Connected<C, F>): void {
    if (this.#isSettled) {
      if (outcome.ok) outcome.connection.reset();
      return;
    }
    this.#isSettled = true;
    this.#outcome = outcome;
    this.#ready(this);
  }
}
