/** An instance with something of everything, and how it was in the minute before: for the pictures of docs/top.md. */
import { Figures } from '../../../../src/observe/figures.ts';
import { History } from '../../../../src/cli/top/history.ts';
import type { StatusAnswer } from '../../../../src/cli/client/status.ts';
import type { BackendCounted, CountedBackend, UpstreamCounted } from '../../../../src/model/counted-view.ts';
import type { BackendView } from '../../../../src/model/snapshot.ts';
import { backendView, snapshotWith, upstreamView } from '../../../harness/fake-balancer.ts';

const MINUTE = 60_000;
/** 14:05 on the day of the first release, in UTC. */
export const NOW = Date.UTC(2026, 10, 27, 14, 5);
export const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 16);

/** New sessions of each backend in each second before. */
const ARRIVING: Readonly<Record<string, (second: number) => number>> = {
  '10.0.0.1:5432': second => 40 + Math.round(25 * Math.sin(second / 6)),
  '10.0.0.2:5432': second => 38 + Math.round(25 * Math.sin(second / 6 + 0.4)),
  '10.0.0.3:5432': second => (second < 30 ? 36 : 0),
  '10.0.0.4:5432': second => (second < 30 ? 0 : 30 + (second % 7)),
  '10.0.1.1:6379': second => 200 + Math.round(60 * Math.cos(second / 9)),
  '10.0.1.2:6379': second => 190 + Math.round(60 * Math.cos(second / 9 + 1)),
};

export function sampleStatus(second: number): StatusAnswer {
  const began = (backend: string): number => {
    let sum = 0;
    for (let each = 0; each <= second; each++) sum += ARRIVING[backend]?.(each) ?? 0;
    return sum;
  };
  const of = (backend: string, parts: Partial<BackendView>): CountedBackend => ({
    counts: countsOf(began(backend), backend.endsWith(':5432') ? 21_000 : 700, backend === '10.0.0.3:5432'),
    ...backendView(backend, {
      stateForMs: 190 * MINUTE,
      pool: { parked: 0, hits: 0, misses: began(backend) },
      ...parts,
    }),
  });
  const refused = '3 health checks failed in a row, the last with: refused (ECONNREFUSED)';
  const database = [
    of('10.0.0.1:5432', { sessions: 312, maxSessions: 400 }),
    of('10.0.0.2:5432', { sessions: 398, maxSessions: 400 }),
    of('10.0.0.3:5432', {
      state: 'down',
      takesSessions: false,
      health: 'down',
      why: refused,
      stateForMs: 3 * MINUTE,
      sessions: 4,
      maxSessions: 400,
    }),
    of('10.0.0.4:5432', { stateForMs: 31_000, share: 0.45, sessions: 83, maxSessions: 400 }),
  ];
  const cache = [
    of('10.0.1.1:6379', { sessions: 1_204, weight: 2 }),
    of('10.0.1.2:6379', { sessions: 1_530, weight: 2 }),
    of('cache-3.internal:6379', {
      state: 'maint',
      takesSessions: false,
      why: 'set by an operator',
      stateForMs: 42 * MINUTE,
    }),
  ];
  const endedOf = (backends: readonly CountedBackend[], failed: number): UpstreamCounted => ({
    ended: [
      {
        ...{ by: 'client', phase: 'relay', reason: 'closed' },
        sessions: backends.reduce((sum, { pool }) => sum + pool.misses, 0),
      },
      { by: 'backend', phase: 'relay', reason: 'reset', sessions: failed },
    ],
    retries: 0,
    redispatches: 0,
  });
  const upstreams = [
    { ...upstreamView('database', database), backends: database, counts: endedOf(database, second) },
    { ...upstreamView('cache', cache), backends: cache, counts: endedOf(cache, 0), strategy: 'roundrobin' },
  ] as const;
  const sent = [...database, ...cache].map(({ counts }) => counts?.bytes ?? { client: 0, backend: 0 });
  const total = Object.keys(ARRIVING).reduce((sum, backend) => sum + began(backend), 0);
  const bytes = {
    client: sent.reduce((sum, { client }) => sum + client, 0),
    backend: sent.reduce((sum, { backend }) => sum + backend, 0),
  };
  const listener = (name: string, addresses: readonly string[], sessions: number) => ({
    ...{ name, addresses, sessions, paused: false, pausedMs: undefined, engine: 'epoll' },
  });
  const cacheListener = listener('cache', ['0.0.0.0:6379'], 2_734);
  return {
    ...snapshotWith({
      ...{ sessions: 3_531, sessionsEver: 5_120_000 + total, maxSessions: 9_450 },
      workers: [1, 2].map(worker => ({
        worker,
        engine: 'epoll',
        state: 'running',
        sessions: 0,
        sessionsEver: 0,
      })),
    }),
    ...{ name: 'web-1', version: '0.1.0', pid: 4751, uptimeMs: 190 * MINUTE + second * 1000, upstreams },
    listeners: [
      {
        ...listener('database', ['0.0.0.0:5432', '[::]:5432'], 797),
        counts: { started: total, bytes, refused: [] },
      },
      cacheListener,
    ],
  };
}

/** Half of the connects take 0.3 ms, some up to 4 ms; one in fifty fails where it is down. */
function countsOf(began: number, answerBytes: number, isDown: boolean): BackendCounted {
  const slow = Math.floor(began / 40);
  return {
    ...{ connections: began, connectFailures: isDown ? Math.floor(began / 50) : 0, resets: 0 },
    bytes: { client: began * 320, backend: began * answerBytes },
    connect: [
      [-94, began - slow],
      [-64, slow],
    ],
  };
}

/** After a minute of looks, one each second. */
export function sampleHistory(): {
  readonly status: StatusAnswer;
  readonly history: History;
  readonly figures: Figures;
} {
  const [history, figures] = [new History(), new Figures()];
  for (let second = 0; second <= 60; second++) {
    history.add(sampleStatus(second));
    figures.add(sampleStatus(second));
  }
  return { status: sampleStatus(60), history, figures };
}
