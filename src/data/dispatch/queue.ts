/**
 * The waiters of one data plane: sessions that wait for a place at an upstream whose backends are all full. First come
 * first served, over all workers.
 *
 * Place: one per upstream and data plane. The dispatcher lets a session join when the picker says 'full' or
 * another session waits already, and reports each freed place. `QueueOrder` says which waiter is first.
 * No wake-up is lost, because of these four steps and their order:
 * - A session that joins counts itself and shows its ticket, then tries once more. A session that frees a place counts
 *   it free, then looks for tickets. One of the two sees the other.
 * - Only the first waiter of all tries.
 * - A waiter that stops being first shows that, then looks which one is first now and has it woken (`onOthersFirst`).
 * - A waiter that becomes first unseen has shown its ticket later than that look, and so looks itself.
 * So while there is room, the first waiter is about to look, or about to be woken.
 * Invariants:
 * - A waiter leaves once: with a place, by its timeout, or by `leave`.
 * - There is at most one timer; all wait equally long, so the head is the first whose time is over.
 */
import type { QueueSettings } from '../../model/upstream-plan.ts';
import type { LiveCounts } from '../../shared-memory/live-counts.ts';
import type { QueueOrder } from '../../shared-memory/queue-order.ts';
import type { SetTimer } from '../../support/timer.ts';

/** The session that waits. Its calls may join, leave and free places, except from within `takePlace`. */
export interface Waiter {
  /** Written by the queue only; undefined while the session does not wait. */
  entry: QueueEntry | undefined;
  /**
   * Takes a place at a backend, if one has room. True: it has one, or need not wait any longer (no backend is left);
   * `onPlace` follows. False: it goes on waiting, first in the queue, with all others behind it. So a session with a
   * reason of its own not to take the free place (it has tried that backend) must drop the reason, or end.
   */
  takePlace(): boolean;
  /**
   * Out of the queue, after `takePlace` has returned true; always follows, even when the waiter has left in between.
   */
  onPlace(): void;
  /** Out of the queue: it has waited too long. */
  onWaitTimeout(): void;
}

/** Where a waiter stands in the queue; opaque outside this file. */
export class QueueEntry {
  readonly waiter: Waiter;
  readonly ticket: number;
  readonly sinceMs: number;
  previous: QueueEntry | undefined;
  next: QueueEntry | undefined;

  constructor(waiter: Waiter, ticket: number, sinceMs: number) {
    this.waiter = waiter;
    this.ticket = ticket;
    this.sinceMs = sinceMs;
  }
}

export interface QueueDeps {
  /** Where waiting sessions are counted. */
  readonly slot: number;
  readonly counts: LiveCounts;
  readonly order: QueueOrder;
  now(): number;
  readonly setTimer: SetTimer;
  /** There may be a place for a session that waits in another worker: all workers are to `recheck`. */
  onOthersFirst(): void;
  /** True: sessions begin to wait here. False: none has waited for a second. */
  onQueueing(isQueueing: boolean): void;
}

/** How long no session must have waited before `onQueueing(false)`. */
const QUIET_MS = 1_000;

export class Queue {
  #settings: QueueSettings;
  readonly #deps: QueueDeps;
  #head: QueueEntry | undefined;
  #tail: QueueEntry | undefined;
  #waiting = 0;
  #isServing = false;
  #isClosed = false;
  #serveAgain: 'no' | 'first' | 'all' = 'no';
  #cancelTimeout: (() => void) | undefined;
  #cancelQuiet: (() => void) | undefined;
  #isQueueing = false;
  #emptySinceMs = 0;

  constructor(settings: QueueSettings, deps: QueueDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  /**
   * Other limits from now on. Sessions that wait stay, whatever the new number; they wait at most the new time, counted
   * from when they came.
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
   * A session is in the queue already, in some worker: a new one has to join instead of passing by. Sessions that wait
   * beside the queue are counted too, and hold up no other session.
   */
  mustWait(): boolean {
    return this.#isAnyWaiting() && !this.#deps.order.isEmpty();
  }

  /**
   * Puts a waiter at the end; false when as many wait as may, or the queue is closed. It may get its place, and
   * be out again, before this returns.
   */
  join(waiter: Waiter): boolean {
    const { max } = this.#settings;
    const { slot, counts, order } = this.#deps;
    if (this.#isClosed || waiter.entry !== undefined || !counts.take(slot, max)) return false;
    const isHead = this.#head === undefined;
    if (isHead) order.announce();
    this.#append(new QueueEntry(waiter, order.draw(), this.#deps.now()));
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
    const { entry } = waiter;
    if (entry === undefined) return;
    const wasHead = entry === this.#head;
    this.#remove(entry);
    // The next waiter may be able to use the place that this one could not.
    if (wasHead) this.recheck();
  }

  /** There may be a place again: serves the waiters here that are first over all workers. */
  recheck(): void {
    if (this.#head === undefined) return;
    const { order } = this.#deps;
    // Control has set this worker aside, because it stood still.
    if (!this.#isServing && order.head() === 0) this.#showHead();
    this.#serve('first');
  }

  /** Every waiter here tries now, whatever waits in other workers: for when no backend takes sessions any more. */
  recheckAll(): void {
    this.#serve('all');
  }

  /** A session of this upstream has given back its place at a backend; costs one load while no session waits. */
  placeFreed(): void {
    if (!this.#isAnyWaiting()) return;
    const { order } = this.#deps;
    if (order.isFirst()) this.recheck();
    else if (!order.isEmpty()) this.#deps.onOthersFirst();
  }

  /** No session joins or tries here any more, and no timer runs; the owner of each waiter ends it. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimeout?.();
    this.#cancelQuiet?.();
    this.#cancelTimeout = undefined;
    this.#cancelQuiet = undefined;
  }

  /** One load: all that it costs while no session waits. */
  #isAnyWaiting(): boolean {
    return this.#deps.counts.live(this.#deps.slot) !== 0;
  }

  #serve(who: 'first' | 'all'): void {
    // A try may free a place or end other sessions: the loop that runs already looks again.
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
  #serveHead(entry: QueueEntry): boolean {
    const { waiter } = entry;
    if (!waiter.takePlace()) return waiter.entry !== entry;
    if (waiter.entry === entry) this.#remove(entry);
    waiter.onPlace();
    return true;
  }

  #append(entry: QueueEntry): void {
    entry.waiter.entry = entry;
    entry.previous = this.#tail;
    if (this.#tail === undefined) this.#head = entry;
    else this.#tail.next = entry;
    this.#tail = entry;
    this.#waiting += 1;
  }

  #remove(entry: QueueEntry): void {
    const { previous, next } = entry;
    entry.waiter.entry = undefined;
    this.#waiting -= 1;
    if (next === undefined) this.#tail = previous;
    else next.previous = previous;
    if (previous === undefined) this.#head = next;
    else previous.next = next;
    this.#deps.order.noteWait(this.#deps.now() - entry.sinceMs);
    this.#deps.counts.release(this.#deps.slot);
    if (next === undefined && previous === undefined) this.#setQuiet();
    // Last, because this may wake other workers.
    if (previous === undefined) this.#showHead();
  }

  /** Shows the other workers the first waiter here. */
  #showHead(): void {
    const isOthersFirst = this.#deps.order.setHead(this.#head?.ticket ?? 0);
    if (isOthersFirst) this.#deps.onOthersFirst();
  }

  /**
   * Sets the timer for the head, unless one runs: that one was set for an older head and will look at this one when it
   * fires.
   */
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
