/**
 * Holds a reset back until its receiver has everything that was sent before it.
 *
 * Place: begun by a relay whose one side has reset while the other still has bytes to come. SO_LINGER 0 throws
 * away what the kernel has not sent, so the reset waits until nothing is unacknowledged.
 * Invariants:
 * - ends once, with `done`, unless it is stopped;
 * - while it waits, only what the receiver takes counts as activity.
 */
import { EPOLLERR, EPOLLHUP, EPOLLOUT } from '../../linux/abi.ts';
import type { Direction } from './direction.ts';
import type { EpollDeps } from './epoll-deps.ts';
import type { Polled, Poller } from '../poller.ts';

export interface ResetDeliveryDeps extends EpollDeps {
  readonly poller: Poller;
}

export class ResetDelivery implements Polled {
  /** From the side that has reset, to the one that is to be reset. */
  readonly direction: Direction;
  readonly #deps: ResetDeliveryDeps;
  readonly #onProgress: () => void;
  readonly #done: () => void;
  #unackedBytes = Infinity;
  #isOver = false;

  constructor(direction: Direction, deps: ResetDeliveryDeps, handlers: { onProgress(): void; done(): void }) {
    this.direction = direction;
    this.#deps = deps;
    this.#onProgress = () => handlers.onProgress();
    this.#done = () => handlers.done();
  }

  /** Sends what is pending and waits for the rest; `done` may come at once. */
  begin(): void {
    if (this.direction.hasPending && !this.#flush()) return;
    // Bytes on a unix socket are with the peer once they are written, and there is no reset.
    if (!this.direction.to.isTcp) this.#end();
    else if (this.poll()) this.#deps.poller.add(this);
  }

  /** Something has happened on the receiver's side. */
  onReady(events: number): void {
    if ((events & (EPOLLERR | EPOLLHUP)) !== 0) this.#end();
    else if ((events & EPOLLOUT) !== 0 && this.direction.hasPending) this.begin();
  }

  poll(): boolean {
    const unackedBytes = this.direction.to.unackedBytes;
    if (unackedBytes === 0) {
      this.#end();
      return false;
    }
    if (unackedBytes < this.#unackedBytes) this.#onProgress();
    this.#unackedBytes = unackedBytes;
    return true;
  }

  stop(): void {
    this.#isOver = true;
    this.#deps.poller.remove(this);
  }

  #flush(): boolean {
    const flushed = this.direction.flush(this.#deps);
    if (flushed === 'writeFailed') this.#end();
    else this.#onProgress();
    return flushed === 'more';
  }

  #end(): void {
    if (this.#isOver) return;
    this.stop();
    this.#done();
  }
}
