/**
 * Holds a reset back until its receiver has everything that was sent before it.
 *
 * Place: begun by a relay whose one side has reset while the other may still have bytes to come. The first look is
 * at once: where everything was acknowledged long ago, there is nothing to wait for.
 * Invariants:
 * - ends once, with `done`, unless it is stopped;
 * - while it waits, only what the receiver takes counts as progress.
 */
import type { OnItsWay } from '../engine.ts';
import type { Polled, Poller } from '../poller.ts';
import type { Left, Sending, SendQueues } from './send-queues.ts';

export interface ResetDeliveryDeps {
  readonly sendQueues: SendQueues;
  readonly poller: Poller;
}

export interface ResetDeliveryHandlers {
  /** The receiver has taken some of it. */
  onProgress(): void;
  /** False where the system does not show what the receiver has: it may still miss bytes. */
  done(isDelivered: boolean): void;
}

export class ResetDelivery implements Polled {
  readonly #receiver: Sending;
  readonly #deps: ResetDeliveryDeps;
  readonly #handlers: ResetDeliveryHandlers;
  #leftBytes = Infinity;
  #isLooking = false;
  #isOver = false;
  /** Whether `look` has asked for an answer, and whether that has come. */
  #deadlineLook: 'none' | 'asked' | 'answered' = 'none';

  constructor(receiver: Sending, deps: ResetDeliveryDeps, handlers: ResetDeliveryHandlers) {
    this.#receiver = receiver;
    this.#deps = deps;
    this.#handlers = handlers;
  }

  /** `done` may come at once. */
  begin(): void {
    if (this.poll()) this.#deps.poller.add(this);
  }

  poll(): boolean {
    if (!this.#isLooking && !this.#isOver) {
      this.#isLooking = true;
      this.#deps.sendQueues.look(this.#receiver, left => this.#judge(left));
    }
    return !this.#isOver;
  }

  /** For a deadline: 'unknown' until a look that was asked for here has been answered. */
  look(): OnItsWay {
    if (this.#deadlineLook === 'none') {
      this.#deadlineLook = 'asked';
      this.poll();
    }
    if (!this.#isAnswered()) return 'unknown';
    this.#deadlineLook = 'none';
    return 'bytes';
  }

  stop(): void {
    this.#isOver = true;
    this.#deps.poller.remove(this);
  }

  #judge(left: Left): void {
    this.#isLooking = false;
    if (this.#isOver) return;
    if (this.#deadlineLook === 'asked') this.#deadlineLook = 'answered';
    if (left === 0 || left === 'unknown') {
      this.stop();
      this.#handlers.done(left === 0);
      return;
    }
    if (left < this.#leftBytes) this.#handlers.onProgress();
    this.#leftBytes = left;
  }

  #isAnswered(): boolean {
    return this.#deadlineLook === 'answered';
  }
}
