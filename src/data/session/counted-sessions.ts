/**
 * The sessions that run in one data plane, and a timer that counts the bytes that they move: throughput is known while
 * a session runs, not only at its end.
 *
 * Place: kept by the data plane. A byte costs nothing; a tick looks at some of the sessions, in turn.
 * Invariants:
 * - What a session has moved is counted within a second, as long as at most `MOST_LOOKS` × 10 sessions run; with more of
 *   them each waits longer, and a tick costs no more.
 * - Nothing ticks while no session runs.
 */
import type { SetTimer } from '../../support/timer.ts';
import { SessionList, type Listed } from './session-list.ts';

const TICK_MS = 100;
const TICKS_PER_ROUND = 10;
/** Per tick: with 100,000 sessions a round takes ten seconds. */
export const MOST_LOOKS = 1_000;

interface Moving extends Listed {
  countBytes(): void;
}

export class CountedSessions<T extends Moving> extends SessionList<T> {
  readonly #setTimer: SetTimer;
  #next = 0;
  #isTicking = false;

  constructor(setTimer: SetTimer) {
    super();
    this.#setTimer = setTimer;
  }

  override add(session: T): void {
    super.add(session);
    if (!this.#isTicking) this.#plan();
  }

  #plan(): void {
    this.#isTicking = this.size > 0;
    if (this.#isTicking) this.#setTimer(() => this.#tick(), TICK_MS);
  }

  /** One that takes the place of another in the list may have to wait for the next round. */
  #tick(): void {
    for (let looks = Math.min(Math.ceil(this.size / TICKS_PER_ROUND), MOST_LOOKS); looks > 0; looks--) {
      if (this.#next >= this.size) this.#next = 0;
      this.at(this.#next)?.countBytes();
      this.#next += 1;
    }
    this.#plan();
  }
}
