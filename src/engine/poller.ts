/**
 * Looks repeatedly at the few sockets for which the kernel sends no event: how much of what was sent a peer has
 * acknowledged.
 *
 * Place: one per engine; asked by a relay that holds a reset back until its receiver has everything, or that
 * wants to know whether a backend took a byte.
 * How: the looks are closest together right after something was added (a healthy receiver acknowledges within
 * a millisecond, or within the 40 ms of a delayed acknowledgement), then one every 10 ms.
 * Invariants:
 * - the looks per millisecond are bounded, however many sockets wait, and all have their turn;
 * - no timer runs while no socket waits.
 */
import type { SetTimer } from '../support/timer.ts';

export interface Polled {
  /** Looks; false when there is nothing more to look for. */
  poll(): boolean;
}

const FIRST_TICK_MS = 1;
const LONGEST_TICK_MS = 10;
/** A look is one or two system calls: 5 % of a core at most. */
const LOOKS_PER_MS = 50;

export class Poller {
  readonly #setTimer: SetTimer;
  readonly #everyone = new Set<Polled>();
  #tickMs = FIRST_TICK_MS;
  #cancelTick: (() => void) | undefined;

  constructor(setTimer: SetTimer) {
    this.#setTimer = setTimer;
  }

  add(polled: Polled): void {
    this.#everyone.add(polled);
    if (this.#tickMs !== FIRST_TICK_MS) {
      this.#tickMs = FIRST_TICK_MS;
      this.#cancelTick?.();
      this.#cancelTick = undefined;
    }
    this.#plan();
  }

  remove(polled: Polled): void {
    this.#everyone.delete(polled);
  }

  #plan(): void {
    if (this.#cancelTick !== undefined || this.#everyone.size === 0) return;
    const tickMs = this.#tickMs;
    this.#cancelTick = this.#setTimer(() => this.#tick(tickMs), tickMs);
  }

  #tick(tickMs: number): void {
    this.#cancelTick = undefined;
    this.#tickMs = Math.min(tickMs * 2, LONGEST_TICK_MS);
    const due: Polled[] = [];
    for (const each of this.#everyone) {
      if (due.length === LOOKS_PER_MS * tickMs) break;
      due.push(each);
    }
    for (const each of due) {
      // One that stays goes behind all others, so that each has its turn.
      if (this.#everyone.delete(each) && each.poll()) this.#everyone.add(each);
    }
    this.#plan();
  }
}
