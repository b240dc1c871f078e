/**
 * An eventfd that ends another thread's wait.
 *
 * Place: made by control for each worker, watched by the worker's reactor: a thread that blocks in epoll_wait receives
 * a posted message only after the wait has ended.
 */
import { EFD_CLOEXEC, EFD_NONBLOCK } from './abi.ts';
import type { Libc } from './libc.ts';
import { systemError } from './system-error.ts';

export interface Wakeup {
  readonly fd: number;
  /** Ends the wait of the thread that watches `fd`: now, or the next time it waits. */
  wake(): void;
  /** Idempotent; nothing is woken any more. */
  close(): void;
}

const ONE_MORE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);

/** Throws when descriptors have run out. */
export function createWakeup(libc: Libc): Wakeup {
  const fd = libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw systemError('eventfd', libc.errno());
  // Once it is closed, the number may be that of another descriptor.
  let isOpen = true;
  return {
    fd,
    wake: () => {
      if (isOpen) libc.write(fd, ONE_MORE, ONE_MORE.length);
    },
    close: () => {
      if (isOpen) libc.close(fd);
      isOpen = false;
    },
  };
}
