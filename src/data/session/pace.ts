/**
 * The pace of one direction of one session: its own bandwidth, and its share of its listener's.
 *
 * Place: made by bandwidth.ts for each direction that is limited; asked by the relay before each read. A wheel wakes
 * those that wait.
 * How: with a limit of its own it waits until the bytes before are paid for. Then it needs its listener's time: while
 * that is free it moves and pays afterwards for what it has moved; otherwise it takes the next span for a portion,
 * waits for it, and moves no more than the portion. Each direction has one portion waiting at most, so that all that
 * have something to move take turns, over all threads.
 * Invariant: the time of a portion, or of a part, that is not used is given back.
 */
import type { Pace as EnginePace } from '../../engine/engine.ts';
import { BURST_MS, type ByteTime } from '../../shared-memory/byte-times.ts';
import type { Timed } from './deadline-wheel.ts';
import { portion } from './portion.ts';

/** What bytes of one direction cost: `rate` in bytes per second. */
export interface Rates {
  /** Of the session itself. */
  readonly own: number | undefined;
  readonly shared: { readonly rate: number; readonly time: ByteTime } | undefined;
  /** Counts a wait. */
  waited(ms: number): void;
}

export interface PaceDeps {
  readonly wheel: { add(entry: Timed, dueMs: number): void; remove(entry: Timed): void };
  /** Milliseconds of the clock of `ByteTime`. */
  now(): number;
}

export class Pace implements EnginePace, Timed {
  wheelSlot = -1;
  wheelIndex = 0;
  readonly #rates: Rates;
  readonly #deps: PaceDeps;
  #goOn: () => void = () => undefined;
  /** Until when the bytes that have moved use up the session's own bandwidth. */
  #paidUntilMs = -Infinity;
  /** Bytes whose listener's time is taken, and when that begins. */
  #taken = 0;
  #beginsMs = 0;
  #dueMs = 0;
  #sinceMs = 0;

  constructor(rates: Rates, deps: PaceDeps) {
    this.#rates = rates;
    this.#deps = deps;
  }

  get isWaiting(): boolean {
    return this.wheelSlot !== -1;
  }

  begin(goOn: () => void): void {
    this.#goOn = goOn;
  }

  ask(): number {
    if (this.isWaiting) return 0;
    const nowMs = this.#deps.now();
    const { own, shared } = this.#rates;
    if (this.#paidUntilMs > nowMs) return this.#waitUntil(this.#paidUntilMs, nowMs);
    const ownBytes = own === undefined ? Infinity : portion(own, 0);
    if (shared === undefined) return ownBytes;
    if (this.#taken === 0) {
      const { rate, time } = shared;
      const backlogMs = time.takenUntilMs - nowMs;
      const bytes = Math.min(ownBytes, portion(rate, Math.max(backlogMs, 0)));
      if (backlogMs <= 0) return bytes;
      this.#beginsMs = time.take(spanMs(bytes, rate), nowMs);
      this.#taken = bytes;
    }
    return this.#beginsMs > nowMs ? this.#waitUntil(this.#beginsMs, nowMs) : this.#taken;
  }

  took(bytes: number, mayFollow: boolean): void {
    const { own, shared } = this.#rates;
    if (bytes > 0 && own !== undefined) {
      const fromMs = Math.max(this.#paidUntilMs, this.#deps.now() - BURST_MS);
      this.#paidUntilMs = fromMs + spanMs(bytes, own);
    }
    if (shared === undefined) return;
    const more = bytes - this.#taken;
    this.#taken = Math.max(-more, 0);
    if (more > 0) shared.time.take(spanMs(more, shared.rate), this.#deps.now());
    if (!mayFollow) this.#giveBack();
  }

  end(): void {
    if (this.isWaiting) this.#wake();
    this.#giveBack();
  }

  /** For the wheel only. */
  checkDeadline(nowMs: number): number | undefined {
    if (this.#dueMs > nowMs) return this.#dueMs;
    this.#wake();
    this.#goOn();
    return this.isWaiting ? this.#dueMs : undefined;
  }

  #waitUntil(dueMs: number, nowMs: number): 0 {
    this.#dueMs = dueMs;
    this.#sinceMs = nowMs;
    this.#deps.wheel.add(this, dueMs);
    return 0;
  }

  #wake(): void {
    this.#deps.wheel.remove(this);
    this.#rates.waited(this.#deps.now() - this.#sinceMs);
  }

  #giveBack(): void {
    const { shared } = this.#rates;
    if (shared !== undefined && this.#taken > 0) shared.time.giveBack(spanMs(this.#taken, shared.rate));
    this.#taken = 0;
  }
}

/** How long bytes take at a rate. */
function spanMs(bytes: number, rate: number): number {
  return (bytes * 1000) / rate;
}
