/**
 * One worker of the fleet: its thread, its figures, and how it is woken.
 *
 * Place: `worker-group.ts` makes them, and says what follows from what they report.
 */
import type { EngineName } from '../engine/engine.ts';
import { createWakeup, type Wakeup } from '../linux/wakeup.ts';
import type { FleetDeps, FleetSettings } from './fleet-settings.ts';
import { WorkerStats } from './worker-stats.ts';
import { spawnWorker, WorkerThread, WORKER_TIMES, type WorkerThreadHandlers } from './worker-thread.ts';

export interface Member {
  /** Its row in shared memory. */
  readonly index: number;
  readonly engine: EngineName;
  readonly thread: WorkerThread;
  readonly stats: WorkerStats;
  readonly statsMemory: SharedArrayBuffer;
  readonly wakeup: Wakeup | undefined;
}

/** @param handlersOf what to do with the reports of the member that is made */
export function createMember(
  index: number,
  engine: EngineName,
  settings: Pick<FleetSettings, 'stallTimeoutMs'>,
  deps: FleetDeps,
  handlersOf: (member: Omit<Member, 'thread'>) => WorkerThreadHandlers,
): Member {
  const { libc, shared, setTimer, times, spawn = spawnWorker } = deps;
  const statsMemory = WorkerStats.allocate(shared.counts.memory.slots);
  const stats = new WorkerStats(statsMemory);
  // Only the epoll engine waits in a way that a message does not end.
  const wakeup = engine === 'epoll' ? createWakeup(libc) : undefined;
  const member = { index, engine, stats, statsMemory, wakeup };
  const thread = new WorkerThread(
    {
      times: { ...(times ?? WORKER_TIMES), endedAfterMs: settings.stallTimeoutMs },
      now: () => deps.now(),
      setTimer,
      beats: () => stats.beats,
      wake: () => wakeup?.wake(),
      spawn,
    },
    handlersOf(member),
  );
  return { ...member, thread };
}

export function sumOver(members: readonly Member[], figure: (stats: WorkerStats) => number): number {
  return members.reduce((sum, { stats }) => sum + figure(stats), 0);
}
