/**
 * The timeouts of all connects that are under way, on one timer per distinct timeout.
 *
 * Place: one per engine. Why: connects of one timeout expire in the order in which they began, so a list and one
 * timer replace a timer each. The links stand in the connects themselves and are cleared when one leaves: sets and
 * dead links keep garbage alive (src/session/deadline-wheel.ts).
 * Invariants: a connect expires no earlier than its time, and at most one timer's delay later; no timer runs
 * for long without a connect.
 */
import type { SetTimer } from '../../support/timer.ts';

/** What is linked here; the links and `dueMs` are written by the deadlines only. */
export interface Expiring {
  readonly timeoutMs: number;
  dueMs: number;
  earlier: Expiring | undefined;
  later: Expiring | undefined;
  expire(): void;
}

/** The connects of one timeout, the first to expire first. */
interface Queue {
  first: Expiring | undefined;
  last: Expiring | undefined;
  isTimed: boolean;
}

export class ConnectDeadlines {
  readonly #now: () => number;
  readonly #setTimer: SetTimer;
  readonly #queues = new Map<number, Queue>();

  /** `now` in milliseconds of a monotonic clock. */
  constructor(now: () => number, setTimer: SetTimer) {
    this.#now = now;
    this.#setTimer = setTimer;
  }

  add(connect: Expiring): void {
    const { timeoutMs } = connect;
    connect.dueMs = this.#now() + timeoutMs;
    let queue = this.#queues.get(timeoutMs);
    if (queue === undefined) {
      queue = { first: undefined, last: undefined, isTimed: false };
      this.#queues.set(timeoutMs, queue);
    }
    connect.earlier = queue.last;
    if (queue.last === undefined) queue.first = connect;
    else queue.last.later = connect;
    queue.last = connect;
    if (!queue.isTimed) this.#plan(queue, timeoutMs);
  }

  /** Takes out a connect, if it is in. */
  remove(connect: Expiring): void {
    const queue = this.#queues.get(connect.timeoutMs);
    if (queue === undefined) return;
    const { earlier, later } = connect;
    if (earlier !== undefined) earlier.later = later;
    else if (queue.first === connect) queue.first = later;
    if (later !== undefined) later.earlier = earlier;
    else if (queue.last === connect) queue.last = earlier;
    connect.earlier = undefined;
    connect.later = undefined;
  }

  #planNext(queue: Queue, nowMs: number): void {
    if (queue.first !== undefined && !queue.isTimed) this.#plan(queue, queue.first.dueMs - nowMs);
  }

  #plan(queue: Queue, delayMs: number): void {
    queue.isTimed = true;
    this.#setTimer(() => this.#expire(queue), Math.ceil(delayMs));
  }

  #expire(queue: Queue): void {
    queue.isTimed = false;
    const nowMs = this.#now();
    // What `expire` adds meanwhile is due later, and planned for.
    while (queue.first !== undefined && queue.first.dueMs <= nowMs) {
      const connect = queue.first;
      this.remove(connect);
      connect.expire();
    }
    this.#planNext(queue, nowMs);
  }
}
