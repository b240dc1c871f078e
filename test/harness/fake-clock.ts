/** A clock with its timers that stands until the test moves it: what falls due on the way runs in order, at its own time. */
import { EventClock } from '../../src/sim/event-clock.ts';
import type { SetTimer } from '../../src/support/timer.ts';
import type { TestTimers } from './fake-timers.ts';

interface UnderWay {
  readonly atMs: number;
  readonly delayMs: number;
}

export class FakeClock implements TestTimers {
  readonly delays: number[] = [];
  readonly #events: EventClock;
  #sleptMs = 0;
  readonly #underWay = new Set<UnderWay>();

  constructor(fromMs = 0) {
    this.#events = new EventClock(fromMs);
  }

  readonly now = (): number => this.#events.now() + this.#sleptMs;

  readonly setTimer: SetTimer = (callback, delayMs) => {
    const timer = { atMs: this.#events.now() + delayMs, delayMs };
    this.delays.push(delayMs);
    this.#underWay.add(timer);
    const cancel = this.#events.setTimer(() => {
      this.#underWay.delete(timer);
      callback();
    }, delayMs);
    return () => {
      this.#underWay.delete(timer);
      cancel();
    };
  };

  get nowMs(): number {
    return this.now();
  }

  get pending(): number {
    return this.#underWay.size;
  }

  /** The delays that the timers under way were set with, soonest first. */
  get delaysMs(): number[] {
    return [...this.#underWay].sort((a, b) => a.atMs - b.atMs).map(timer => timer.delayMs);
  }

  /** The machine sleeps: time passes and no timer runs; they are all late by it afterwards. */
  sleep(ms: number): void {
    this.#sleptMs += ms;
  }

  advance(ms: number): void {
    this.#events.advance(ms);
  }

  /** Advances, and lets promises run before and after what falls due at each moment. */
  async advanceAndSettle(ms: number): Promise<void> {
    const untilMs = this.#events.now() + ms;
    await settled();
    while (this.#events.nextAtMs <= untilMs) {
      this.#events.advance(this.#events.nextAtMs - this.#events.now());
      await settled();
    }
    this.#events.advance(untilMs - this.#events.now());
  }
}

/** Every promise that can settle by itself has. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
