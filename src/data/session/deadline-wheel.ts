/**
 * The deadlines of all sessions on one coarse timer, and the coarse clock that goes with it.
 *
 * Place: one per data plane, and a finer one for what waits for its pace (pacing.ts). Sessions add themselves with their
 * next deadline; the engine stamps activity with
 * `nowMs`, so that neither a byte nor a session costs a timer of its own.
 * Invariants:
 * - An entry is checked no earlier than its due time and at most one tick late.
 * - An entry that is due further away than one revolution is looked at once per revolution.
 * - Nothing ticks while the wheel is empty.
 * Why arrays and not sets: a set that is rehashed leaves its old table behind with a reference to the new one. Once
 * promoted, such a chain kept every dead session alive until the next full collection (measured: two thirds of what a
 * scavenge looked at).
 * Source: Varghese & Lauck 1987, "Hashed and Hierarchical Timing Wheels", scheme 6.
 */
import { setUnrefTimer, type SetTimer } from '../../support/timer.ts';

export interface Timed {
  /** The slot that the wheel keeps the entry in (-1: none), and its index there; written by the wheel only. */
  wheelSlot: number;
  wheelIndex: number;
  /** Called at the due time; returns the next due time, or undefined when there is nothing more to wait for. */
  checkDeadline(nowMs: number): number | undefined;
}

const TICK_MS = 100;
const SLOTS = 512;

export class DeadlineWheel {
  #nowMs: number;
  readonly #now: () => number;
  readonly #tickMs: number;
  readonly #slots: readonly Timed[][];
  #tick: number;
  #size = 0;
  readonly #setTimer: SetTimer;
  #cancelTick: (() => void) | undefined;

  constructor(now: () => number, setTimer: SetTimer = setUnrefTimer, tickMs = TICK_MS) {
    this.#tickMs = tickMs;
    this.#setTimer = setTimer;
    this.#now = now;
    this.#nowMs = now();
    this.#tick = Math.floor(this.#nowMs / this.#tickMs);
    this.#slots = Array.from({ length: SLOTS }, () => []);
  }

  /**
   * Monotonic milliseconds: as of the last tick, which is exact enough for timeouts and free to read. While the wheel
   * is empty nothing ticks, so the real clock is read.
   */
  get nowMs(): number {
    return this.#cancelTick === undefined ? this.#now() : this.#nowMs;
  }

  get size(): number {
    return this.#size;
  }

  add(entry: Timed, dueMs: number): void {
    this.remove(entry);
    if (this.#size === 0) this.#start();
    const ticksAhead = Math.ceil(dueMs / this.#tickMs) - this.#tick;
    entry.wheelSlot = (this.#tick + Math.min(Math.max(ticksAhead, 1), SLOTS - 1)) % SLOTS;
    const slot = this.#slots[entry.wheelSlot];
    if (slot !== undefined) entry.wheelIndex = slot.push(entry) - 1;
    this.#size += 1;
  }

  remove(entry: Timed): void {
    if (entry.wheelSlot === -1) return;
    const slot = this.#slots[entry.wheelSlot];
    const last = slot?.pop();
    if (slot !== undefined && last !== undefined && last !== entry) {
      slot[entry.wheelIndex] = last;
      last.wheelIndex = entry.wheelIndex;
    }
    entry.wheelSlot = -1;
    this.#size -= 1;
    if (this.#size === 0) this.#stop();
  }

  /** Checks everything that has become due; called by the timer, and by tests that own the clock. */
  advance(): void {
    this.#nowMs = this.#now();
    const target = Math.floor(this.#nowMs / this.#tickMs);
    // After a long stall one revolution visits every slot; further rounds would find nothing new.
    this.#tick = Math.max(this.#tick, target - SLOTS);
    while (this.#tick < target && this.#size > 0) {
      this.#tick += 1;
      this.#checkSlot(this.#tick % SLOTS);
    }
    this.#tick = target;
  }

  #checkSlot(index: number): void {
    const slot = this.#slots[index];
    if (slot === undefined || slot.length === 0) return;
    for (const entry of [...slot]) {
      // An earlier entry of this slot may have removed this one.
      if (entry.wheelSlot !== index) continue;
      const nextMs = entry.checkDeadline(this.#nowMs);
      if (nextMs === undefined) this.remove(entry);
      else this.add(entry, nextMs);
    }
  }

  #start(): void {
    this.#nowMs = this.#now();
    this.#tick = Math.floor(this.#nowMs / this.#tickMs);
    this.#plan();
  }

  #plan(): void {
    this.#cancelTick = this.#setTimer(() => {
      // First, because the entry that is checked may be the last one and leave.
      this.#plan();
      this.advance();
    }, this.#tickMs);
  }

  #stop(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }
}
