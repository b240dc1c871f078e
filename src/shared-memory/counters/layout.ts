/**
 * Everything that data planes and control count, declared once: names, meaning and place in memory.
 *
 * Place: writers take the cells from here, `/metrics` the names, docs/metrics.md its table. To count something new, add
 * an entry and write to its cells.
 * How: each slot of shared memory has a block of `BLOCK_CELLS` cells per thread; what the cells mean depends on what the
 * slot belongs to: the instance, a listener, an upstream (the slot of its queue) or a backend.
 */
import { ENDINGS } from './endings.ts';
import { bucketsOf, type Range } from './histogram.ts';
import { REFUSED } from './refusals.ts';

/** Labels: closed sets only, and nothing that a client can choose. */
export type Label = 'by' | 'phase' | 'reason' | 'state';

export interface Counter {
  readonly kind: 'counter';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
  /** The values of the labels, for each cell. */
  readonly series: readonly (readonly string[])[];
  /** Its first cell in the block. */
  readonly at: number;
}

export interface Histogram {
  readonly kind: 'histogram';
  readonly name: string;
  readonly help: string;
  readonly range: Range;
  /** The powers of two, in seconds, that are shown as classic buckets. */
  readonly shown: readonly number[];
  /** Its first bucket in the block. */
  readonly at: number;
  /** The cell of the sum, in seconds. */
  readonly sumAt: number;
}

export type Entry = Counter | Histogram;
type Block = Readonly<Record<string, Entry>>;

/** Cells per slot and thread. An odd number of cache lines, so that the same cell of many slots is not in one set. */
export const BLOCK_CELLS = 520;

export const CONNECT_FAILURES = [
  'refused',
  'timeout',
  'unreachable',
  'reset',
  'tls',
  'localResources',
] as const;
export const ORIGINS = ['new', 'warm', 'reused'] as const;
export const EVICTIONS = ['dead', 'late', 'idle', 'surplus', 'drained'] as const;
/** Why an exchange through Redis failed; `lost`: what was published is gone by the next one, evicted or expired too early. */
export const MIRROR_FAILURES = [
  'unreachable',
  'timeout',
  'loading',
  'readOnly',
  'outOfMemory',
  'denied',
  'wrongType',
  'cluster',
  'nameTaken',
  'lost',
  'error',
] as const;
export const PAUSE_REASONS = ['listenerLimit', 'instanceLimit', 'localResources', 'listenerRate'] as const;
/** Why a client's handshake failed (`TlsFailure`), or that it took too long. */
export const HANDSHAKE_FAILURES = [
  'handshake',
  'certificate',
  'starttls',
  'closed',
  'reset',
  'timeout',
] as const;
export type HandshakeFailure = (typeof HANDSHAKE_FAILURES)[number];
/** Whether clients had a session ticket. */
export const HANDSHAKES = ['full', 'resumed'] as const;
/** Which side sent the bytes. */
export const SENDERS = ['client', 'backend'] as const;

const counter = (name: string, help: string): Unplaced<Counter> => counters(name, help, [], [[]]);

function counters(
  name: string,
  help: string,
  labels: readonly Label[],
  series: readonly (readonly string[])[],
): Unplaced<Counter> {
  return { kind: 'counter', name: `lb4_${name}`, help, labels, series };
}

const each = (values: readonly string[]): string[][] => values.map(value => [value]);

function seconds(name: string, help: string, range: Range): Unplaced<Histogram> {
  const shown: number[] = [];
  // Each second power of two; where the range is wide that is ten or twelve buckets.
  for (let power = range.lowest; power <= range.highest; power += 2) shown.push(power);
  return { kind: 'histogram', name: `lb4_${name}_seconds`, help, range, shown };
}

type Unplaced<E extends Entry> = Omit<E, 'at' | 'sumAt'>;
type Placed<B> = {
  readonly [K in keyof B]: B[K] extends Unplaced<Histogram> ? Histogram : Counter;
};

/**
 * In the order of the entries, with the sums of all histograms first: what a session writes is in few cache lines then,
 * which is most of what counting costs. So entries that every session writes stand first.
 */
function place<B extends Readonly<Record<string, Unplaced<Counter> | Unplaced<Histogram>>>>(
  block: B,
): Placed<B> {
  const entries = Object.entries(block);
  let sumAt = 0;
  let at = entries.filter(([, { kind }]) => kind === 'histogram').length;
  const placed: Record<string, Entry> = {};
  for (const [key, entry] of entries) {
    placed[key] = entry.kind === 'histogram' ? { ...entry, at, sumAt: sumAt++ } : { ...entry, at };
    at += entry.kind === 'histogram' ? bucketsOf(entry.range) : entry.series.length;
  }
  if (at > BLOCK_CELLS) throw new RangeError(`a block has ${BLOCK_CELLS} cells, not ${at}`);
  return placed as Placed<B>;
}

const BY_PHASE_REASON: readonly Label[] = ['by', 'phase', 'reason'];

export const INSTANCE = place({
  loopDelay: seconds(
    'worker_loop_delay',
    'How late timers ran in the threads that move bytes: ten looks a second and thread.',
    {
      lowest: -10,
      highest: 5,
    },
  ),
  workerDeaths: counter('worker_deaths_total', 'Workers that have died, and were started again.'),
  workerStalls: counter('worker_stalls_total', 'Times that a worker stood still.'),
}) satisfies Block;

export const LISTENER = place({
  started: counter('listener_sessions_started_total', 'Sessions that have begun.'),
  bytes: counters(
    'listener_bytes_total',
    'Bytes that clients and backends have sent, by listener.',
    ['by'],
    each(SENDERS),
  ),
  ended: counters(
    'listener_sessions_total',
    'Sessions that have ended, by listener.',
    BY_PHASE_REASON,
    ENDINGS,
  ),
  turnedAway: counter(
    'listener_turned_away_total',
    'Clients that found no room to wait at a paused listener, and were reset.',
  ),
  refused: counters(
    'listener_refused_total',
    'Clients that gates of the listener have refused, or would have without `dryRun`.',
    ['reason', 'state'],
    REFUSED,
  ),
  uncounted: counter(
    'listener_uncounted_clients_total',
    'Clients that were let in without a limit of their own, because they could not be counted.',
  ),
  paced: counters(
    'listener_paced_seconds_total',
    'Time that bytes have waited for their turns under limits of bandwidth, of all sessions of the listener.',
    ['by'],
    each(SENDERS),
  ),
  pauses: counters(
    'listener_pauses_total',
    'Times that a listener has stopped accepting, by what it had run out of.',
    ['reason'],
    each(PAUSE_REASONS),
  ),
  wait: seconds(
    'listener_wait',
    'How long clients waited, connected, at a paused listener until they were let in; only those that did.',
    { lowest: -9, highest: 9 },
  ),
  handshakes: counters(
    'listener_tls_handshakes_total',
    'TLS handshakes of clients that were completed: full ones, and those that resumed a session.',
    ['state'],
    each(HANDSHAKES),
  ),
  handshakeFailures: counters(
    'listener_tls_handshake_failures_total',
    'TLS handshakes of clients that failed, STARTTLS before them included.',
    ['reason'],
    each(HANDSHAKE_FAILURES),
  ),
  handshake: seconds(
    'listener_tls_handshake',
    'How long completed TLS handshakes of clients took, STARTTLS before them included.',
    { lowest: -11, highest: 5 },
  ),
}) satisfies Block;

export const UPSTREAM = place({
  ended: counters(
    'upstream_sessions_total',
    'Sessions that have ended, by upstream.',
    BY_PHASE_REASON,
    ENDINGS,
  ),
  duration: seconds('upstream_session_duration', 'How long sessions lasted, from accept to end.', {
    lowest: -13,
    highest: 17,
  }),
  queueWait: seconds(
    'upstream_queue_wait',
    'How long sessions waited for a backend with room; only those that did.',
    { lowest: -13, highest: 9 },
  ),
  retries: counter('upstream_retries_total', 'Further attempts at the same backend.'),
  redispatches: counter('upstream_redispatches_total', 'Further attempts at another backend.'),
  panics: counter('upstream_panics_total', 'Times that the upstream began to ignore health.'),
  strategyFailures: counter('upstream_strategy_failures_total', "Times that a strategy of one's own failed."),
  mirrorFailures: counters(
    'mirror_failures_total',
    'Exchanges through Redis that failed.',
    ['reason'],
    each(MIRROR_FAILURES),
  ),
}) satisfies Block;

export const BACKEND = place({
  bytes: counters(
    'backend_bytes_total',
    'Bytes that clients and the backend have sent.',
    ['by'],
    each(SENDERS),
  ),
  picks: counter(
    'backend_picks_total',
    'Times that the strategy, stickiness or the queue chose the backend.',
  ),
  connections: counters(
    'backend_connections_total',
    'Connections that sessions got: opened for them, or parked before.',
    ['state'],
    each(ORIGINS),
  ),
  ended: counters(
    'backend_sessions_total',
    'Sessions that had a connection to the backend and have ended.',
    BY_PHASE_REASON,
    ENDINGS,
  ),
  connectFailures: counters(
    'backend_connect_failures_total',
    'Attempts of sessions to connect that failed.',
    ['reason'],
    each(CONNECT_FAILURES),
  ),
  connect: seconds('backend_connect', 'From the pick to the open connection; without parked connections.', {
    lowest: -13,
    highest: 5,
  }),
  firstByte: seconds(
    'backend_first_byte',
    "From the connection to the backend's first byte; without sessions in which the backend sent none.",
    { lowest: -13, highest: 9 },
  ),
  ejections: counter('backend_ejections_total', 'Times that failures of sessions took the backend out.'),
  downs: counter('backend_downs_total', 'Times that checks, agent or resolver took the backend out.'),
  checkFailures: counter(
    'backend_check_failures_total',
    'Health checks that failed while the backend was up.',
  ),
  evictions: counters(
    'backend_pool_evictions_total',
    'Parked connections that were closed unused: the backend ended them, sent something late, they were idle for too long, too many, or no longer wanted.',
    ['reason'],
    each(EVICTIONS),
  ),
}) satisfies Block;
