/**
 * One session's wait for a backend with room: in the line, or beside it.
 *
 * Place: begun by the dispatcher when the picker says 'full', or when others wait already.
 * Beside the line waits a session that must not get a backend which has just failed it: in the line it would hold
 * up others, who may. It looks for itself now and then, and counts as one that waits.
 * Invariants: bounded by `queue.max` and `queue.timeout`, both ways; its owner is told once how it ended, and not
 * after `end`; a place that was taken for it is used or given back.
 */
import type { Cancel } from '../engine/engine.ts';
import type { SetTimer } from '../support/timer.ts';
import { Lease } from './lease.ts';
import type { PickResult } from './picker.ts';
import type { UpstreamRuntime } from './upstream-runtime.ts';
import type { Waiter, WaitingPlace } from './waiting-line.ts';

/** What a wait ends with: a place, or why there is none to wait for. */
export type Turn = Exclude<PickResult, 'full'>;

/** Who waits: the session's dispatch. */
export interface WaitOwner {
  pick(): PickResult;
  /** Whatever place is free, it may have it: it has no reason of its own to hold up others. */
  mayStandInLine(): boolean;
  /** It has a place, or no backend is left to wait for. */
  onTurn(turn: Turn): void;
  onWaitTimeout(): void;
}

export interface WaitDeps {
  now(): number;
  readonly setTimer: SetTimer;
}

const LOOK_AGAIN_MS = 50;

export class Wait implements Waiter {
  /** The line's own. */
  place: WaitingPlace | undefined;
  readonly #upstream: UpstreamRuntime;
  readonly #owner: WaitOwner;
  readonly #deps: WaitDeps;
  #isAside = false;
  #untilMs = 0;
  #cancelTimer: Cancel | undefined;
  #turn: Turn = 'noBackend';
  #isOver = false;

  constructor(upstream: UpstreamRuntime, owner: WaitOwner, deps: WaitDeps) {
    this.#upstream = upstream;
    this.#owner = owner;
    this.#deps = deps;
  }

  /** False when as many wait as may. It may be over before this returns. */
  inLine(): boolean {
    return this.#upstream.line.join(this);
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

  /** What it had tried may be gone: then it stands in line like others, behind those that do already. */
  moveOn(): void {
    if (!this.#isAside || this.#isOver || !this.#owner.mayStandInLine()) return;
    this.#leave();
    this.#isOver = false;
    this.#isAside = false;
    // Another session may have taken its place in the meantime.
    if (!this.#upstream.line.join(this) && !this.aside()) this.onWaitTimeout();
  }

  /** Its session has ended. */
  end(): void {
    if (this.#isOver) return;
    this.#leave();
    this.#upstream.line.leave(this);
  }

  /** For the line only. */
  takeTurn(): boolean {
    const picked = this.#owner.pick();
    if (picked === 'full') return false;
    this.#turn = picked;
    return true;
  }

  /** For the line only. */
  onTurn(): void {
    const turn = this.#turn;
    if (!this.#isOver) {
      this.#leave();
      this.#owner.onTurn(turn);
    } else if (turn instanceof Lease) {
      if (turn.isTrial) this.#upstream.failures.returnTrial(turn.backend.slot);
      turn.release();
    }
  }

  /** For the line only. */
  onWaitTimeout(): void {
    this.#leave();
    this.#owner.onWaitTimeout();
  }

  #lookLater(): void {
    this.#cancelTimer = this.#deps.setTimer(() => {
      if (this.takeTurn()) this.onTurn();
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
