/**
 * A kernel for a readiness loop: it reports the events that a test has given it, batch by batch, and never waits.
 *
 * Place: beneath `Reactor`, in place of the C library; it opens nothing.
 */
import * as abi from '../../src/linux/abi.ts';
import type { Watched } from '../../src/engine/epoll/reactor.ts';
import type { Libc } from '../../src/linux/libc.ts';

/** A kernel that remembers the user data of each descriptor and tells the events it is given, batch by batch. */
export class FakeKernel {
  readonly batches: (readonly [fd: number, events: number][])[] = [];
  readonly timeouts: number[] = [];
  readonly #layout: abi.EpollLayout;
  readonly #data = new Map<number, Uint8Array>();
  errnoNow = 0;

  constructor(layout: abi.EpollLayout) {
    this.#layout = layout;
  }

  libc(): Libc {
    const { words, dataWord } = this.#layout;
    const calls: Partial<Libc> = {
      epollLayout: this.#layout,
      errno: () => this.errnoNow,
      epoll_create1: () => 1000,
      close: () => 0,
      epoll_ctl: (_epollFd, operation, fd, event) => {
        if (operation === abi.EPOLL_CTL_ADD) this.#data.set(fd, event.slice(dataWord * 4, dataWord * 4 + 8));
        else this.#data.delete(fd);
        return 0;
      },
      epoll_wait: (_epollFd, events, _max, timeoutMs) => {
        this.timeouts.push(timeoutMs);
        const batch = this.batches.shift() ?? [];
        batch.forEach(([fd, flags], i) => {
          const at = i * words * 4;
          events.fill(0xee, at, at + words * 4);
          new DataView(events.buffer).setUint32(at, flags, true);
          events.set(this.#data.get(fd) ?? [], at + dataWord * 4);
        });
        return batch.length;
      },
    };
    return calls as Libc;
  }
}

/** A target for `Reactor.add`. */
export function watched(onEvents: (events: number) => void): Watched {
  return { generation: 0, onEvents };
}
