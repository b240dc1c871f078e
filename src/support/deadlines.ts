/**
 * Members that expire a fixed time after they were added, in one list with one timer for each distinct time.
 *
 * Place: one per engine for the connects that are under way, one for connections that get their keepalive late, and one
 * per data plane for clients whose first bytes are waited for.
 * Why: of members with the same time, the one added later is due later, so a list with one timer replaces a timer for
 * each. The links stand in the members themselves and are cleared when one leaves: sets and dead links keep garbage
 * alive (src/data/session/deadline-wheel.ts).
 * Invariants:
 * - nothing expires before its time, nor later than one timer's delay and `slackMs` after it;
 * - a timer that fires without a member in its list is not started again.
 */
import type { SetTimer } from './timer.ts';

/** What is linked here; the links and `dueMs` are written by the deadlines only. */
export interface Expiring {
  readonly timeoutMs: number;
  dueMs: number;
  earlier: Expiring | undefined;
  later: Expiring | undefined;
  expire(): void;
}

/** The members of one time, the first to expire first. */
interface Queue {
  first: Expiring | undefined;
  last: Expiring | undefined;
  isTimed: boolean;
}

export class Deadlines {
  readonly #now: () => number;
  readonly #setTimer: SetTimer;
  readonly #slackMs: number;
  readonly #queues = new Map<number, Queue>();

  /** `now` in milliseconds of a monotonic clock. `slackMs`: by how much members may be late, so that timers are few. */
  constructor(now: () => number, setTimer: SetTimer, slackMs = 0) {
    this.#now = now;
    this.#setTimer = setTimer;
    this.#slackMs = slackMs;
  }

  add(member: Expiring): void {
    const { timeoutMs } = member;
    member.dueMs = this.#now() + timeoutMs;
    let queue = this.#queues.get(timeoutMs);
    if (queue === undefined) {
      queue = { first: undefined, last: undefined, isTimed: false };
      this.#queues.set(timeoutMs, queue);
    }
    member.earlier = queue.last;
    if (queue.last === undefined) queue.first = member;
    else queue.last.later = member;
    queue.last = member;
    if (!queue.isTimed) this.#plan(queue, timeoutMs);
  }

  /** Takes out a member, if it is in. */
  remove(member: Expiring): void {
    const queue = this.#queues.get(member.timeoutMs);
    if (queue === undefined) return;
    const { earlier, later } = member;
    if (earlier !== undefined) earlier.later = later;
    else if (queue.first === member) queue.first = later;
    if (later !== undefined) later.earlier = earlier;
    else if (queue.last === member) queue.last = earlier;
    member.earlier = undefined;
    member.later = undefined;
  }

  #planNext(queue: Queue, nowMs: number): void {
    if (queue.first !== undefined && !queue.isTimed) this.#plan(queue, queue.first.dueMs - nowMs);
  }

  #plan(queue: Queue, delayMs: number): void {
    queue.isTimed = true;
    this.#setTimer(() => this.#expire(queue), Math.ceil(Math.max(delayMs, this.#slackMs)));
  }

  #expire(queue: Queue): void {
    queue.isTimed = false;
    const nowMs = this.#now();
    // A member that `expire` adds is due later, and has its timer.
    while (queue.first !== undefined && queue.first.dueMs <= nowMs) {
      const member = queue.first;
      this.remove(member);
      member.expire();
    }
    this.#planNext(queue, nowMs);
  }
}
