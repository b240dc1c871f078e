/**
 * The sessions of one data plane that wait for a place at an upstream whose backends are all full: first come first
 * served, over all workers.
 *
 * Place: one per upstream and data plane. The dispatcher lets a session join when the picker says 'full' or somebody
 * waits already, and says when a place is freed. `QueueOrder` says whose turn it is.
 * No wake-up is lost. Who joins counts itself and shows its ticket, then tries once more; who frees a place counts it
 * free, then looks for tickets: one of the two sees the other. Only the first of all tries; who stops being first
 * shows that, then looks who is first now and has it told (`onOthersTurn`); who becomes first unseen had shown its
 * ticket later, and so looks itself. So whenever there is room, the first is about to look, or about to be told.
 * Invariants: a waiter leaves once: by its turn, its timeout, or `leave`; at most one timer; all wait equally long,
 * so the head is the first whose time is over.
 */
import type { QueueSettings } from '../model/upstream-plan.ts';
import type { LiveCounts } from '../shared-memory/live-counts.ts';
import type { QueueOrder } from '../shared-memory/queue-order.ts';
import type { SetTimer } from '../support/timer.ts';

/** A session's side. Its calls may join, leave and free places, except from within `takeTurn`. */
export interface Waiter {
  /** The line's own: undefined at first, and whenever it does not wait. */
  place: WaitingPlace | undefined;
  /**
   * Takes a place at a backend, if one has room. True: it has one, or need not wait any longer (no backend is left);
   * `onTurn` follows. False: it goes on waiting, first in line, and everybody else behind it: a session that has
   * reasons of its own not to take the place that is free (it has tried that backend) must forget them, or end.
   */
  takeTurn(): boolean;
  /** Out of the line, after `takeTurn` has said true; always follows, even where the waiter has left in between. */
  onTurn(): void;
  /** Out of the line: it has waited too long. */
  onWaitTimeout(): void;
}

/** A waiter's place in the line; opaque to everybody else. */
export class WaitingPlace {
  readonly waiter: Waiter;
  readonly ticket: number;
  readonly sinceMs: number;
  previous: WaitingPlace | undefined;
  next: WaitingPlace | undefined;

  constructor(waiter: Waiter, ticket: number, sinceMs: number) {
    this.waiter = waiter;
    this.ticket = ticket;
    this.sinceMs = sinceMs;
  }
}

export interface WaitingLineDeps {
  /** Where waiting sessions are counted. */
  readonly slot: number;
  readonly counts: LiveCounts;
  readonly order: QueueOrder;
  now(): number;
  readonly setTimer: SetTimer;
  /** There may be a place for a session that waits in another worker: all workers are to `recheck`. */
  onOthersTurn(): void;
  /** Sessions begin to wait here, or none has for a second. */
  onQueueing(isQueueing: boolean): void;
}

/** So long nobody must have waited until `onQueueing(false)`. */
const QUIET_MS = 1_000;

export class WaitingLine {
  #settings: QueueSettings;
  readonly #deps: WaitingLineDeps;
  #head: WaitingPlace | undefined;
  #tail: WaitingPlace | undefined;
  #waiting = 0;
  #isServing = false;
  #isClosed = false;
  #serveAgain: 'no' | 'first' | 'all' = 'no';
  #cancelTimeout: (() => void) | undefined;
  #cancelQuiet: (() => void) | undefined;
  #isQueueing = false;
  #emptySinceMs = 0;

  constructor(settings: QueueSettings, deps: WaitingLineDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  /**
   * Other limits from now on. Sessions that wait stay, whatever the new number; they wait no longer than the new time,
   * counted from when they came.
   */
  configure(settings: QueueSettings): void {
    const isOtherTime = settings.timeout !== this.#settings.timeout;
    this.#settings = settings;
    if (!isOtherTime) return;
    this.#cancelTimeout?.();
    this.#cancelTimeout = undefined;
    this.#keepTime();
  }

  /** One more may wait, in it or beside it. */
  get hasRoom(): boolean {
    const { max } = this.#settings;
    const { slot } = this.#deps;
    return !this.#isClosed && this.#deps.counts.live(slot) < max;
  }

  /** Sessions that wait in this data plane. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * A session stands in line already, in whichever worker: a new one has to join instead of passing by. Sessions that
   * wait beside the line are counted too, and hold nobody up.
   */
  mustWait(): boolean {
    return this.#isAnyWaiting() && !this.#deps.order.isEmpty();
  }

  /**
   * Puts a waiter at the end; false when as many wait as may, or the line is closed. It may have its turn, and be
   * out again, before this returns.
   */
  join(waiter: Waiter): boolean {
    const { max } = this.#settings;
    const { slot, counts, order } = this.#deps;
    if (this.#isClosed || waiter.place !== undefined || !counts.take(slot, max)) return false;
    const isHead = this.#head === undefined;
    if (isHead) order.announce();
    this.#append(new WaitingPlace(waiter, order.draw(), this.#deps.now()));
    this.#keepTime();
    this.#setQueueing();
    if (isHead) {
      this.#showHead();
      this.recheck();
    }
    return true;
  }

  /** The waiter's session has ended. Without effect when it does not wait. */
  leave(waiter: Waiter): void {
    const { place } = waiter;
    if (place === undefined) return;
    const wasHead = place === this.#head;
    this.#remove(place);
    // The next one may be able to use what this one could not.
    if (wasHead) this.recheck();
  }

  /** There may be a place again: serves those here who are first of all. */
  recheck(): void {
    if (this.#head === undefined) return;
    const { order } = this.#deps;
    // Control has set this worker aside, because it stood still.
    if (!this.#isServing && order.head() === 0) this.#showHead();
    this.#serve('first');
  }

  /** Everybody here has a turn now, whoever waits elsewhere: for when no backend takes sessions any more. */
  recheckAll(): void {
    this.#serve('all');
  }

  /** A session of this upstream has given back its place at a backend; costs one load while nobody waits. */
  placeFreed(): void {
    if (!this.#isAnyWaiting()) return;
    const { order } = this.#deps;
    if (order.isFirst()) this.recheck();
    else if (!order.isEmpty()) this.#deps.onOthersTurn();
  }

  /** Nobody joins or has a turn here any more, and no timer runs; whoever still waits has to be ended by its owner. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimeout?.();
    this.#cancelQuiet?.();
    this.#cancelTimeout = undefined;
    this.#cancelQuiet = undefined;
  }

  /** One load: all it costs while none waits. */
  #isAnyWaiting(): boolean {
    return this.#deps.counts.live(this.#deps.slot) !== 0;
  }

  #serve(who: 'first' | 'all'): void {
    // A turn may free a place or end other sessions: the loop that runs already looks again.
    if (this.#isServing) {
      if (this.#serveAgain !== 'all') this.#serveAgain = who;
      return;
    }
    this.#isServing = true;
    try {
      for (let next: 'no' | 'first' | 'all' = who; next !== 'no'; next = this.#serveAgain) {
        this.#serveAgain = 'no';
        while (this.#head !== undefined && this.#mayServe(next) && this.#serveHead(this.#head));
      }
    } finally {
      this.#isServing = false;
    }
  }

  #mayServe(who: 'first' | 'all'): boolean {
    return !this.#isClosed && (who === 'all' || this.#deps.order.isFirst());
  }

  /** False: it goes on waiting. */
  #serveHead(place: WaitingPlace): boolean {
    const { waiter } = place;
    if (!waiter.takeTurn()) return waiter.place !== place;
    if (waiter.place === place) this.#remove(place);
    waiter.onTurn();
    return true;
  }

  #append(place: WaitingPlace): void {
    place.waiter.place = place;
    place.previous = this.#tail;
    if (this.#tail === undefined) this.#head = place;
    else this.#tail.next = place;
    this.#tail = place;
    this.#waiting += 1;
  }

  #remove(place: WaitingPlace): void {
    const { previous, next } = place;
    place.waiter.place = undefined;
    this.#waiting -= 1;
    if (next === undefined) this.#tail = previous;
    else next.previous = previous;
    if (previous === undefined) this.#head = next;
    else previous.next = next;
    this.#deps.order.noteWait(this.#deps.now() - place.sinceMs);
    this.#deps.counts.release(this.#deps.slot);
    if (next === undefined && previous === undefined) this.#setQuiet();
    // Last, because others may be told now.
    if (previous === undefined) this.#showHead();
  }

  /** Lets the other workers see who is first here. */
  #showHead(): void {
    const isOthersTurn = this.#deps.order.setHead(this.#head?.ticket ?? 0);
    if (isOthersTurn) this.#deps.onOthersTurn();
  }

  /** Sets the timer for the head, unless one runs: that one was set for an older head and looks then. */
  #keepTime(): void {
    if (this.#head === undefined || this.#cancelTimeout !== undefined || this.#isClosed) return;
    const leftMs = this.#head.sinceMs + this.#settings.timeout - this.#deps.now();
    this.#cancelTimeout = this.#deps.setTimer(() => this.#endWaits(), Math.max(Math.ceil(leftMs), 1));
  }

  #endWaits(): void {
    this.#cancelTimeout = undefined;
    const sinceMs = this.#deps.now() - this.#settings.timeout;
    for (let head = this.#head; head !== undefined && head.sinceMs <= sinceMs; head = this.#head) {
      this.#remove(head);
      head.waiter.onWaitTimeout();
    }
    this.#keepTime();
    this.recheck();
  }

  #setQueueing(): void {
    if (this.#isQueueing) return;
    this.#isQueueing = true;
    this.#deps.onQueueing(true);
  }

  #setQuiet(): void {
    if (this.#isClosed) return;
    this.#emptySinceMs = this.#deps.now();
    this.#cancelQuiet ??= this.#deps.setTimer(() => this.#checkQuiet(), QUIET_MS);
  }

  #checkQuiet(): void {
    this.#cancelQuiet = undefined;
    if (this.#head !== undefined) return;
    const leftMs = this.#emptySinceMs + QUIET_MS - this.#deps.now();
    if (leftMs > 0) {
      this.#cancelQuiet = this.#deps.setTimer(() => this.#checkQuiet(), Math.ceil(leftMs));
      return;
    }
    this.#isQueueing = false;
    this.#deps.onQueueing(false);
  }
}
