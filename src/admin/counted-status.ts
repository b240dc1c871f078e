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
  RefusedClients,
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
  const counters = balancer.counters('live');
  if (counters === undefined) return snapshot;
  // Both are of this very moment, so they have the same things in the same order.
  for (const [i, each] of snapshot.listeners.entries())
    addCounts(each, counters.listeners[i]?.counts, ofListener);
  for (const [i, each] of snapshot.upstreams.entries()) {
    const counted = counters.upstreams[i];
    addCounts(each, counted?.counts, ofUpstream);
    for (const [j, backend] of each.backends.entries())
      addCounts(backend, counted?.backends[j]?.counts, ofBackend);
  }
  return snapshot;
}

/** The snapshot was made for this call: it is added to, because copies would cost more than all the rest. */
function addCounts(to: object, counts: Counts | undefined, of: (counts: Counts) => object): void {
  if (counts !== undefined) Object.assign(to, { counts: of(counts) });
}

function ofListener(counts: Counts): ListenerCounted {
  const refused: RefusedClients[] = [];
  if (!counts.isNone(LISTENER.refused)) {
    for (const [series, [reason = '', state]] of LISTENER.refused.series.entries()) {
      const clients = counts.of(LISTENER.refused, series);
      if (clients > 0) refused.push({ reason, dryRun: state === 'dryRun', clients });
    }
  }
  return { started: counts.total(LISTENER.started), bytes: sent(counts, LISTENER.bytes), refused };
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
