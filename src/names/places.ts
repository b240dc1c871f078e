/**
 * Bounds the number of lookups that begin at a time, without making any wait for one that hangs.
 *
 * Place: `Names`, before DNS. Ten thousand questions at once are lost in the buffers of sockets and name servers.
 * Invariants: first come, first served; a lookup gives its place up when it ends, or when it has had it for `HELD_MS`.
 */
import type { SetTimer } from '../support/timer.ts';

const MOST = 100;
const HELD_MS = 100;

export class Places {
  readonly #setTimer: SetTimer;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(setTimer: SetTimer) {
    this.#setTimer = setTimer;
  }

  /** Begins `work` when there is a place for it. */
  async run<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#taken < MOST) this.#taken += 1;
    else await new Promise<void>(resolve => this.#waiting.push(resolve));
    let isHeld = true;
    const leave = (): void => {
      if (!isHeld) return;
      isHeld = false;
      cancelTimer();
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken -= 1;
      else next();
    };
    const cancelTimer = this.#setTimer(leave, HELD_MS);
    try {
      return await work();
    } finally {
      leave();
    }
  }
}
