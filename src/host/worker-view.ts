/**
 * A worker as `snapshot()` shows it.
 *
 * Place: a part of worker-fleet.ts.
 */
import type { EngineName } from '../engine/engine.ts';
import type { WorkerView } from '../model/snapshot.ts';
import type { WorkerStats } from './worker-stats.ts';
import type { WorkerThread } from './worker-thread.ts';

interface Worker {
  readonly index: number;
  readonly engine: EngineName;
  readonly thread: Pick<WorkerThread, 'state' | 'silentMs'>;
  readonly stats: Pick<WorkerStats, 'sessionsEver'>;
}

export function workerView(
  { index, engine, thread: { state, silentMs }, stats }: Worker,
  sessions: number,
): WorkerView {
  const isUp = state === 'running' || state === 'stalled';
  return {
    worker: index + 1,
    engine,
    state: isUp ? state : 'restarting',
    sessions,
    sessionsEver: stats.sessionsEver,
    ...(isUp ? { silentMs } : {}),
  };
}
