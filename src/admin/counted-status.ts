/**
 * A snapshot with what has been counted, for the status that the API answers and sends.
 *
 * Place: called for each answer, and once a second for all clients that follow the status. It reads shared memory only,
 * so no worker is asked.
 */
import { BACKEND, LISTENER, UPSTREAM, type Counter, type Counts } from '../model/counter-view.ts';
import type {
  BackendCounted,
  CountedSnapshot,
  EndedSessions,
  ListenerCounted,
  SentBytes,
  UpstreamCounted,
} from '../model/counted-view.ts';
import type { Balanced } from './port.ts';

const [BY_CLIENT, BY_BACKEND] = [0, 1];
const RESETS = BACKEND.ended.series.findIndex(
  ([by, phase, reason]) => by === 'backend' && phase === 'relay' && reason === 'reset',
);

export function countedSnapshot(balancer: Pick<Balanced, 'snapshot' | 'counters'>): CountedSnapshot {
  const snapshot = balancer.snapshot();
  const counters = balancer.counters();
  if (counters === undefined) return snapshot;
  // Both are of this very moment, so they have the same things in the same order.
  const { listeners, upstreams } = counters;
  return {
    ...snapshot,
    listeners: snapshot.listeners.map((each, i) => {
      const counts = countsOf(listeners[i]?.counts, ofListener);
      return counts === undefined ? each : { ...each, counts };
    }),
    upstreams: snapshot.upstreams.map((each, i) => {
      const counted = upstreams[i];
      const backends = each.backends.map((backend, j) => {
        const counts = countsOf(counted?.backends[j]?.counts, ofBackend);
        return counts === undefined ? backend : { ...backend, counts };
      });
      const counts = countsOf(counted?.counts, ofUpstream);
      return counts === undefined ? { ...each, backends } : { ...each, backends, counts };
    }),
  };
}

function countsOf<T>(counts: Counts | undefined, of: (counts: Counts) => T): T | undefined {
  return counts === undefined ? undefined : of(counts);
}

function ofListener(counts: Counts): ListenerCounted {
  return { started: counts.total(LISTENER.started), bytes: sent(counts, LISTENER.bytes) };
}

function ofUpstream(counts: Counts): UpstreamCounted {
  const ended: EndedSessions[] = [];
  for (const [series, [by = '', phase = '', reason = '']] of UPSTREAM.ended.series.entries()) {
    const sessions = counts.of(UPSTREAM.ended, series);
    if (sessions > 0) ended.push({ by, phase, reason, sessions });
  }
  return {
    ended,
    retries: counts.total(UPSTREAM.retries),
    redispatches: counts.total(UPSTREAM.redispatches),
  };
}

function ofBackend(counts: Counts): BackendCounted {
  return {
    connections: counts.total(BACKEND.connections),
    connectFailures: counts.total(BACKEND.connectFailures),
    resets: counts.of(BACKEND.ended, RESETS),
    bytes: sent(counts, BACKEND.bytes),
    connect: counts.times(BACKEND.connect).filled(),
  };
}

function sent(counts: Counts, bytes: Counter): SentBytes {
  return { client: counts.of(bytes, BY_CLIENT), backend: counts.of(bytes, BY_BACKEND) };
}
