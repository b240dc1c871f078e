import t from 'tap';
import { createLog, type LogFormat } from '../../../src/observe/log.ts';
import type { LoadBalancerSnapshot } from '../../../src/model/snapshot.ts';
import { logSnapshot } from '../../../src/observe/log-snapshot.ts';
import { keepLines } from '../../harness/log-lines.ts';

const BACKEND: LoadBalancerSnapshot['upstreams'][number]['backends'][number] = {
  backend: '10.0.0.1:80',
  state: 'up',
  stateForMs: 0,
  takesSessions: true,
  health: 'up',
  operator: 'ready',
  agent: undefined,
  backup: false,
  ejection: undefined,
  share: 1,
  weight: 2,
  maxSessions: undefined,
  sessions: 3,
  elsewhere: 0,
  connections: 3,
  pool: { parked: 0, hits: 0, misses: 0 },
};

const SNAPSHOT: LoadBalancerSnapshot = {
  state: 'running',
  ready: true,
  engine: 'epoll',
  sessions: 4,
  sessionsEver: 17,
  maxSessions: 100,
  workers: [{ worker: 1, engine: 'epoll', state: 'running', sessions: 4, sessionsEver: 17 }],
  listeners: [
    {
      name: 'web',
      addresses: ['0.0.0.0:80', '[::]:80'],
      paused: true,
      pausedMs: 3_210,
      engine: 'epoll',
      sessions: 4,
    },
  ],
  upstreams: [
    {
      name: 'app',
      strategy: 'leastconn',
      mode: 'normal',
      retryBudget: { left: 100 },
      queue: { waiting: 5, max: 1024, longestMs: 1234 },
      backends: [
        BACKEND,
        {
          ...BACKEND,
          backend: '10.0.0.2:80',
          state: 'ejected',
          takesSessions: false,
          operator: 'drain',
          agent: { health: 'up', state: 'ready', percent: 50, maxSessions: 9 },
          backup: true,
          ejection: { times: 2, forMs: 10_000 },
          share: 0.5,
          sessions: 1,
          elsewhere: 7,
          pool: { parked: 2, hits: 0, misses: 0 },
        },
      ],
      overrides: [
        { backend: '10.0.0.2:80', what: 'state', configured: 'ready', now: 'drain' },
        { backend: '10.0.0.2:80', what: 'weight', configured: 1, now: 2 },
        { backend: '10.0.0.3:80', what: 'removed' },
      ],
    },
  ],
  mirror: {
    instance: 'one',
    upstreams: [{ upstream: 'app', mode: 'shared', trouble: undefined, ageMs: 120.4, others: ['two'] }],
  },
};

function logged(format: LogFormat, snapshot = SNAPSHOT): string[] {
  const { lines, written } = keepLines();
  logSnapshot(snapshot, createLog({ level: 'info', format, lines }));
  return written;
}

void t.test('as text: one line for each worker, listener, upstream and backend', async t => {
  const lines = logged('text').map(line => line.replace(/^\S+ info {2}/, ''));
  t.same(lines, [
    'snapshot: running, engine epoll, 1 worker, 4 sessions of at most 100, 17 since the start',
    'worker 1: running, 4 sessions, 17 since the start',
    'listener web: paused for 3.2 s, new clients wait on 0.0.0.0:80, [::]:80, 4 sessions',
    'upstream app: mode normal, strategy leastconn, 1 of 2 backends takes sessions, 5 sessions in the queue (at most 1024), the longest wait was 1.2 s, other than configured, by operators: 10.0.0.2:80 state drain (configured ready); 10.0.0.2:80 weight 2 (configured 1); 10.0.0.3:80 removed',
    'backend 10.0.0.1:80 of app: up, takes sessions, 3 sessions, weight 2, health up',
    'backend 10.0.0.2:80 of app: ejected, takes no sessions, 1 session, 7 at other instances, weight 2 (50 % of it), health up, set to drain by an operator, agent says up and ready, 50 % of the weight, maxSessions 9, ejected 2 times in a row, backup, 2 spare connections',
    'counts of upstream app: shared, this is one, 1 other instance, counts are at most 120 ms old',
  ]);
});

void t.test('a listener that has stopped says so, and where it accepts all the same', async t => {
  const [web] = SNAPSHOT.listeners;
  const of = (addresses: readonly string[]): string | undefined => {
    const stopped = {
      name: 'web',
      sessions: 4,
      pausedMs: undefined,
      engine: 'epoll',
      ...web,
      addresses,
      stopped: true,
      paused: false,
    };
    return logged('text', { ...SNAPSHOT, listeners: [stopped] })
      .find(line => line.includes('listener web'))
      ?.replace(/^\S+ info {2}/, '');
  };
  t.equal(of([]), 'listener web: stopped, because its upstream has no backend, 4 sessions');
  t.equal(
    of([':80']),
    'listener web: stopped, because its upstream has no backend; accepting on :80, 4 sessions',
  );
});

void t.test('as JSON: the same as fields, with a stable event for each kind of line', async t => {
  const lines = logged('json').map(line => JSON.parse(line) as Record<string, unknown>);
  t.match(lines, [
    {
      event: 'snapshot',
      state: 'running',
      engine: 'epoll',
      workers: 1,
      sessions: 4,
      maxSessions: 100,
      sessionsEver: 17,
    },
    { event: 'snapshotWorker', worker: 1, engine: 'epoll', state: 'running', sessions: 4 },
    {
      event: 'snapshotListener',
      listener: 'web',
      addresses: '0.0.0.0:80 [::]:80',
      paused: true,
      sessions: 4,
    },
    {
      event: 'snapshotUpstream',
      upstream: 'app',
      mode: 'normal',
      strategy: 'leastconn',
      taking: 1,
      backends: 2,
      waiting: 5,
      queueMax: 1024,
    },
    {
      event: 'snapshotBackend',
      upstream: 'app',
      backend: '10.0.0.1:80',
      state: 'up',
      sessions: 3,
      weight: 2,
      share: 1,
    },
    {
      event: 'snapshotBackend',
      backend: '10.0.0.2:80',
      state: 'ejected',
      ejections: 2,
      ejectedForMs: 10_000,
      backup: true,
      parked: 2,
      elsewhere: 7,
    },
    { event: 'snapshotMirror', upstream: 'app', mode: 'shared', instance: 'one', others: 1, ageMs: 120.4 },
  ]);
});
