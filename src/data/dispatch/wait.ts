/**
 * One session's wait for a backend with room: in the queue, or beside it.
 *
 * Place: begun by the dispatcher when the picker says 'full', or when others wait already.
 * A session waits beside the queue when it must not get a backend that has just failed it: in the queue it would hold
 * up others, which may get that backend. It looks for a place every 50 ms, and counts as waiting.
 * Invariants:
 * - Bounded by `queue.max` and `queue.timeout`, both ways.
 * - Its owner is called once with how it ended, and not after `end`.
 * - A place that was taken for it is used or given back.
 */
import type { Cancel } from '../../engine/engine.ts';
import type { SetTimer } from '../../support/timer.ts';
import { Lease } from './lease.ts';
import type { PickResult } from './picker.ts';
import type { UpstreamRuntime } from './upstream-runtime.ts';
import type { Waiter, QueueEntry } from './queue.ts';

/** The result of a wait: a place, or why there is none to wait for. */
export type Found = Exclude<PickResult, 'full'>;

/** The owner of a wait: the session's dispatch. */
export interface WaitOwner {
  pick(): PickResult;
  /** From now on it may have any free place: it has no reason of its own left to hold up others. */
  mayQueue(): boolean;
  /** It has a place, or no backend is left to wait for. */
  onPlace(found: Found): void;
  onWaitTimeout(): void;
}

export interface WaitDeps {
  now(): number;
  readonly setTimer: SetTimer;
}

const LOOK_AGAIN_MS = 50;

export class Wait implements Waiter {
  /** Written by the queue only. */
  entry: QueueEntry | undefined;
  readonly #upstream: UpstreamRuntime;
  readonly #owner: WaitOwner;
  readonly #deps: WaitDeps;
  #isAside = false;
  #untilMs = 0;
  #cancelTimer: Cancel | undefined;
  #found: Found = 'noBackend';
  #isOver = false;

  constructor(upstream: UpstreamRuntime, owner: WaitOwner, deps: WaitDeps) {
    this.#upstream = upstream;
    this.#owner = owner;
    this.#deps = deps;
  }

  /** False when as many wait as may. It may be over before this returns. */
  inQueue(): boolean {
    return this.#upstream.queue.join(this);
  }

  /** False when as many wait as may. */
  aside(): boolean {
    const { queue, queueSlot } = this.#upstream.plan;
    if (!this.#upstream.counts.take(queueSlot, queue.max)) return false;
    this.#isAside = true;
    this.#untilMs = this.#deps.now() + queue.timeout;
    this.#lookLater();
    return true;
  }

  /** The backends it had tried may be gone: then it joins the queue like others, at its end. */
  moveOn(): void {
    if (!this.#isAside || this.#isOver || !this.#owner.mayQueue()) return;
    this.#leave();
    this.#isOver = false;
    this.#isAside = false;
    // Another session may have taken its place in the meantime.
    if (!this.#upstream.queue.join(this) && !this.aside()) this.onWaitTimeout();
  }

  /** Its session has ended. */
  end(): void {
    if (this.#isOver) return;
    this.#leave();
    this.#upstream.queue.leave(this);
  }

  /** For the queue only. */
  takePlace(): boolean {
    const picked = this.#owner.pick();
    if (picked === 'full') return false;
    this.#found = picked;
    return true;
  }

  /** For the queue only. */
  onPlace(): void {
    const found = this.#found;
    if (!this.#isOver) {
      this.#leave();
      this.#owner.onPlace(found);
    } else if (found instanceof Lease) {
      if (found.isTrial) this.#upstream.failures.returnTrial(found.backend.slot);
      found.release();
    }
  }

  /** For the queue only. */
  onWaitTimeout(): void {
    this.#leave();
    this.#owner.onWaitTimeout();
  }

  #lookLater(): void {
    this.#cancelTimer = this.#deps.setTimer(() => {
      if (this.takePlace()) this.onPlace();
      else if (this.#deps.now() < this.#untilMs) this.#lookLater();
      else this.onWaitTimeout();
    }, LOOK_AGAIN_MS);
  }

  #leave(): void {
    this.#isOver = true;
    if (!this.#isAside) return;
    this.#cancelTimer?.();
    this.#upstream.counts.release(this.#upstream.plan.queueSlot);
  }
}
