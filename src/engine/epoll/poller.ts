/**
 * Looks again and again at the few sockets of which the kernel sends no event: how much of what was sent a peer
 * has acknowledged.
 *
 * Place: one per engine; asked by a relay that holds a reset back until its receiver has everything, or that
 * wants to know whether a backend took a byte. A look is one system call; a bounded number is made per tick,
 * in turn, and nothing ticks while nobody waits.
 */
import type { SetTimer } from '../../support/timer.ts';

export interface Polled {
  /** Looks; false when there is nothing more to look for. */
  poll(): boolean;
}

const TICK_MS = 20;
const LOOKS_PER_TICK = 1000;

export class Poller {
  readonly #setTimer: SetTimer;
  readonly #everyone = new Set<Polled>();
  #ticking = false;

  constructor(setTimer: SetTimer) {
    this.#setTimer = setTimer;
  }

  add(polled: Polled): void {
    this.#everyone.add(polled);
    this.#plan();
  }

  remove(polled: Polled): void {
    this.#everyone.delete(polled);
  }

  #plan(): void {
    if (this.#ticking || this.#everyone.size === 0) return;
    this.#ticking = true;
    this.#setTimer(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    this.#ticking = false;
    const due: Polled[] = [];
    for (const each of this.#everyone) {
      if (due.length === LOOKS_PER_TICK) break;
      due.push(each);
    }
    for (const each of due) {
      // Behind all others, if it stays: everyone has a turn.
      if (this.#everyone.delete(each) && each.poll()) this.#everyone.add(each);
    }
    this.#plan();
  }
}
