/**
 * An epoll engine in the thread of the test, whose scripted peers live there too: a wait must not keep them from
 * answering.
 */
import { createEpollEngine, type EpollEngine } from '../../src/engine/epoll/epoll-engine.ts';
import { loadLibc } from '../../src/linux/libc.ts';

/** Throws where the engine cannot be had; tests that use it are skipped there. */
export function newEpollEngine(over: Partial<Parameters<typeof createEpollEngine>[0]> = {}): EpollEngine {
  const loaded = loadLibc();
  if (!loaded.ok) throw new Error(loaded.reason);
  return createEpollEngine({
    libc: loaded.libc,
    now: () => performance.now(),
    clock: { nowMs: 0 },
    ceilingMs: 1,
    ...over,
  });
}
