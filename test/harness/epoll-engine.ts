/**
 * An epoll engine in the thread of the test, whose scripted peers live there too: a wait must not keep them from
 * answering.
 *
 * It fails the test where bytes are left in the kernel that wait for more (MSG_MORE): without a FIN in the same step
 * their receiver would get them 200 ms late.
 */
import { createEpollEngine, type EpollEngine } from '../../src/engine/epoll/epoll-engine.ts';
import { MSG_MORE } from '../../src/linux/abi.ts';
import { loadLibc, type Libc } from '../../src/linux/libc.ts';

/** Throws where the engine cannot be had; tests that use it are skipped there. */
export function newEpollEngine(over: Partial<Parameters<typeof createEpollEngine>[0]> = {}): EpollEngine {
  const loaded = loadLibc();
  if (!loaded.ok) throw new Error(loaded.reason);
  return createEpollEngine({
    now: () => performance.now(),
    clock: { nowMs: 0 },
    ceilingMs: 1,
    trustsShortReads: process.env['LB4_TEST_SHORT_READS'] !== 'distrust',
    ...over,
    libc: nothingHeldBack(over.libc ?? loaded.libc),
  });
}

function nothingHeldBack(libc: Libc): Libc {
  const heldBack = new Set<number>();
  return {
    ...libc,
    send: (fd, buffer, bytes, flags) => {
      const sent = libc.send(fd, buffer, bytes, flags);
      // What does not fit makes the kernel send what it has.
      if ((flags & MSG_MORE) !== 0 && sent === bytes) heldBack.add(fd);
      return sent;
    },
    shutdown: (fd, how) => {
      heldBack.delete(fd);
      return libc.shutdown(fd, how);
    },
    close: fd => {
      heldBack.delete(fd);
      return libc.close(fd);
    },
    epoll_wait: (fd, events, maxEvents, timeoutMs) => {
      if (heldBack.size > 0) throw new Error(`bytes are held back on descriptors ${[...heldBack].join()}`);
      return libc.epoll_wait(fd, events, maxEvents, timeoutMs);
    },
  };
}
