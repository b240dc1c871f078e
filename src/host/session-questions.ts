/**
 * Questions about sessions, put to workers.
 *
 * Place: a part of worker-fleet.ts. Workers that do not respond are not asked.
 */
import type { SessionQuery, SessionView } from '../model/session-view.ts';
import type { WorkerThread } from './worker-thread.ts';

type Asked = Pick<WorkerThread, 'ask' | 'state'>;

const isRunning = ({ state }: Asked): boolean => state === 'running';

export async function sessionViewsOf(
  threads: readonly Asked[],
  query: SessionQuery,
): Promise<readonly SessionView[]> {
  const asked = threads.filter(isRunning).map(thread => thread.ask({ what: 'sessions', query }));
  return (await Promise.all(asked)).flatMap(views => views ?? []).slice(0, query.limit);
}

/** One worker after the other, because the limit is that of all together. Resolves with the number of sessions ended. */
export async function endSessionsOf(threads: readonly Asked[], query: SessionQuery): Promise<number> {
  let ended = 0;
  for (const thread of threads.filter(isRunning)) {
    if (ended >= query.limit) break;
    const rest = { ...query, limit: query.limit - ended };
    ended += (await thread.ask({ what: 'endSessions', query: rest })) ?? 0;
  }
  return ended;
}
