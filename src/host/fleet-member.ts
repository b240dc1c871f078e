/**
 * One worker of the fleet: its thread, its figures, and how it is woken.
 *
 * Place: `worker-fleet.ts` makes one for each row of the live counts, and says what follows from what it reports.
 */
import { createWakeup, type Wakeup } from '../linux/wakeup.ts';
import type { FleetDeps, FleetSettings } from './fleet-settings.ts';
import { WorkerStats } from './worker-stats.ts';
import { spawnWorker, WorkerThread, WORKER_TIMES, type WorkerThreadHandlers } from './worker-thread.ts';

export interface Member {
  readonly index: number;
  readonly thread: WorkerThread;
  readonly stats: WorkerStats;
  readonly statsMemory: SharedArrayBuffer;
  readonly wakeup: Wakeup | undefined;
}

/** @param handlersOf what to do with the reports of the member that is made */
export function createMember(
  index: number,
  settings: FleetSettings,
  deps: FleetDeps,
  handlersOf: (member: Omit<Member, 'thread'>) => WorkerThreadHandlers,
): Member {
  const { libc, shared, setTimer, times } = deps;
  const statsMemory = WorkerStats.allocate(shared.counts.memory.slots);
  const stats = new WorkerStats(statsMemory);
  // Only the epoll engine waits in a way that a message does not end.
  const wakeup = settings.engine === 'epoll' ? createWakeup(libc) : undefined;
  const member = { index, stats, statsMemory, wakeup };
  const thread = new WorkerThread(
    {
      times: { ...(times ?? WORKER_TIMES), endedAfterMs: settings.stallTimeoutMs },
      now: () => deps.now(),
      setTimer,
      beats: () => stats.beats,
      wake: () => wakeup?.wake(),
      spawn: spawnWorker,
    },
    handlersOf(member),
  );
  return { ...member, thread };
}

export function sumOver(members: readonly Member[], figure: (stats: WorkerStats) => number): number {
  return members.reduce((sum, { stats }) => sum + figure(stats), 0);
}
