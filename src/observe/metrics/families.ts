/**
 * The metrics that show how things are now, each with its name and meaning; what is counted is in the layout of the
 * counters.
 *
 * Place: metrics.ts writes both, docs/metrics.md lists both.
 */
import type { LogFigures, ProcessFigures } from '../../model/process-figures.ts';
import type {
  BackendView,
  CertificateView,
  ListenerView,
  LoadBalancerSnapshot,
  MirroredUpstreamView,
  SourceStatus,
  UpstreamView,
  WorkerView,
} from '../../model/snapshot.ts';

/** One metric of each thing of a kind. */
export interface Family<T> {
  readonly name: string;
  readonly help: string;
  /** Default: a gauge. */
  readonly type?: 'counter';
  /** Undefined: this one has no such value. */
  readonly of: (thing: T) => number | undefined;
}

/** A metric that is 1 for the state that a thing is in, and 0 for the others. */
export interface StateSet<T> {
  readonly name: string;
  readonly help: string;
  readonly states: readonly string[];
  readonly stateOf: (thing: T) => string;
}

export type Shown<T> = Family<T> | StateSet<T>;

const seconds = (ms: number): number => ms / 1_000;
const flag = (isTrue: boolean): number => (isTrue ? 1 : 0);

/** A thing, and the time since 1970 in milliseconds. */
export interface Timed<T> {
  readonly thing: T;
  readonly nowMs: number;
}

export const INSTANCE: readonly Shown<LoadBalancerSnapshot>[] = [
  {
    name: 'lb4_state',
    help: 'The state of the instance.',
    states: ['new', 'starting', 'running', 'leaving', 'draining', 'stopped'],
    stateOf: ({ state }) => state,
  },
  { name: 'lb4_ready', help: 'Whether new clients should be sent here.', of: ({ ready }) => flag(ready) },
  { name: 'lb4_sessions_active', help: 'Sessions that run now.', of: ({ sessions }) => sessions },
  {
    name: 'lb4_sessions_started_total',
    help: 'Sessions that have begun.',
    type: 'counter',
    of: ({ sessionsEver }) => sessionsEver,
  },
  {
    name: 'lb4_sessions_limit',
    help: 'Sessions that can run at once; absent for no limit.',
    of: ({ maxSessions }) => maxSessions,
  },
];

export const LISTENERS: readonly Shown<ListenerView>[] = [
  { name: 'lb4_listener_sessions_active', help: 'Sessions that run now.', of: ({ sessions }) => sessions },
  {
    name: 'lb4_listener_stopped',
    help: 'Whether it does not listen because its upstream has no backend.',
    of: ({ stopped }) => flag(stopped === true),
  },
  {
    name: 'lb4_listener_paused',
    help: 'Whether new clients wait because a limit is reached.',
    of: ({ paused }) => flag(paused),
  },
  {
    name: 'lb4_listener_paused_seconds',
    help: 'For how long new clients have waited; 0 while they do not.',
    of: ({ pausedMs }) => seconds(pausedMs ?? 0),
  },
];

export const UPSTREAMS: readonly Shown<UpstreamView>[] = [
  {
    name: 'lb4_upstream_state',
    help: 'What the upstream goes by: panic ignores health, down gives no backend sessions.',
    states: ['normal', 'backups', 'panic', 'down'],
    stateOf: ({ mode }) => mode,
  },
  {
    name: 'lb4_upstream_sessions_active',
    help: 'Sessions that have a backend now, over all its backends.',
    of: ({ backends }) => backends.reduce((sum, { sessions }) => sum + sessions, 0),
  },
  {
    name: 'lb4_upstream_queue_sessions',
    help: 'Sessions that wait for a backend with room.',
    of: ({ queue }) => queue.waiting,
  },
  {
    name: 'lb4_upstream_queue_sessions_limit',
    help: 'The most that may wait.',
    of: ({ queue }) => queue.max,
  },
  {
    name: 'lb4_upstream_sessions_limit',
    help: 'The most sessions over all its backends; absent for no limit.',
    of: ({ limit }) => limit?.max,
  },
  {
    name: 'lb4_upstream_retry_budget_left',
    help: 'Further attempts that the retry budget allows now.',
    of: ({ retryBudget }) => retryBudget.left,
  },
];

export const SOURCES: readonly Shown<SourceStatus>[] = [
  {
    name: 'lb4_source_state',
    help: 'Whether the source of backends answers.',
    states: ['waiting', 'answering', 'failing'],
    stateOf: ({ state }) => state,
  },
  { name: 'lb4_source_backends', help: 'Backends that it names.', of: ({ backends }) => backends },
  {
    name: 'lb4_source_answer_age_seconds',
    help: 'Since its last answer that could be used; absent before the first.',
    of: ({ answeredAgoMs }) => (answeredAgoMs === undefined ? undefined : seconds(answeredAgoMs)),
  },
];

export const CERTIFICATES: readonly Shown<CertificateView>[] = [
  {
    name: 'lb4_certificate_expiry_timestamp_seconds',
    help: 'When the certificate expires, in seconds since 1970.',
    of: ({ notAfter }) => seconds(Date.parse(notAfter)),
  },
];

const BACKEND_STATES = [
  'up',
  'standby',
  'down',
  'unresolved',
  'ejected',
  'trial',
  'drain',
  'maint',
  'removed',
];

export const BACKENDS: readonly Shown<Timed<BackendView>>[] = [
  {
    name: 'lb4_backend_state',
    help: 'The state of the backend.',
    states: BACKEND_STATES,
    stateOf: ({ thing }) => thing.state,
  },
  {
    name: 'lb4_backend_state_since_timestamp_seconds',
    help: 'When this state began, in seconds since 1970.',
    of: ({ thing, nowMs }) => Math.round(seconds(nowMs - thing.stateForMs)),
  },
  {
    name: 'lb4_backend_takes_sessions',
    help: 'Whether new sessions may go to the backend.',
    of: ({ thing }) => flag(thing.takesSessions),
  },
  {
    name: 'lb4_backend_sessions_active',
    help: 'Sessions that hold the backend now.',
    of: ({ thing }) => thing.sessions,
  },
  {
    name: 'lb4_backend_sessions_elsewhere',
    help: 'Sessions of other instances that hold it, as last received.',
    of: ({ thing }) => thing.elsewhere,
  },
  {
    name: 'lb4_backend_sessions_limit',
    help: 'The most sessions that it gets; absent for no limit.',
    of: ({ thing }) => thing.maxSessions,
  },
  { name: 'lb4_backend_weight', help: 'Its weight.', of: ({ thing }) => thing.weight },
  {
    name: 'lb4_backend_share_ratio',
    help: 'The part of its weight that slow start and agent leave.',
    of: ({ thing }) => thing.share,
  },
  {
    name: 'lb4_backend_parked_connections',
    help: 'Spare connections in its pools.',
    of: ({ thing }) => thing.pool.parked,
  },
  {
    name: 'lb4_backend_source_ports',
    help: 'Connections of sessions and pools that are open or being opened: each takes a source port. Absent for a unix socket.',
    of: ({ thing }) => (thing.backend.startsWith('unix:') ? undefined : thing.connections),
  },
];

export const WORKERS: readonly Shown<WorkerView>[] = [
  {
    name: 'lb4_worker_state',
    help: 'The state of the worker.',
    states: ['running', 'stalled', 'restarting'],
    stateOf: ({ state }) => state,
  },
  {
    name: 'lb4_worker_sessions_active',
    help: 'Sessions that run in the worker.',
    of: ({ sessions }) => sessions,
  },
  {
    name: 'lb4_worker_heartbeat_age_seconds',
    help: 'For how long the worker has given no sign of life, to half a second; absent while it is started again.',
    of: ({ silentMs }) => (silentMs === undefined ? undefined : seconds(silentMs)),
  },
];

export const MIRRORED: readonly Shown<MirroredUpstreamView>[] = [
  {
    name: 'lb4_mirror_state',
    help: 'Whether counts of other instances are used.',
    states: ['shared', 'local'],
    stateOf: ({ mode }) => mode,
  },
  {
    name: 'lb4_mirror_age_seconds',
    help: 'Age of the oldest count in use; absent while none is.',
    of: ({ ageMs }) => (ageMs === undefined ? undefined : seconds(ageMs)),
  },
  { name: 'lb4_mirror_instances', help: 'Other instances that publish.', of: ({ others }) => others.length },
];

export const PROCESS: readonly Shown<ProcessFigures>[] = [
  {
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the process, in user and system mode.',
    type: 'counter',
    of: ({ cpuSeconds }) => cpuSeconds,
  },
  { name: 'process_resident_memory_bytes', help: 'Memory in use.', of: ({ residentBytes }) => residentBytes },
  {
    name: 'process_start_time_seconds',
    help: 'When the process began, in seconds since 1970.',
    of: ({ startedAtMs }) => seconds(startedAtMs),
  },
  { name: 'process_open_fds', help: 'Open descriptors.', of: ({ openDescriptors }) => openDescriptors },
  {
    name: 'process_max_fds',
    help: 'The limit of open descriptors.',
    of: ({ descriptorLimit }) => descriptorLimit,
  },
  {
    name: 'lb4_reloads_total',
    help: 'Reloads that have taken effect.',
    type: 'counter',
    of: ({ reloads }) => reloads.done,
  },
  {
    name: 'lb4_reload_failures_total',
    help: 'Reloads that were refused and have changed nothing.',
    type: 'counter',
    of: ({ reloads }) => reloads.failed,
  },
  {
    name: 'lb4_reload_last_ok',
    help: 'Whether the last reload took effect; 1 before the first.',
    of: ({ reloads }) => flag(reloads.last?.ok ?? true),
  },
  {
    name: 'lb4_reload_last_timestamp_seconds',
    help: 'When the last reload ended, in seconds since 1970; absent before the first.',
    of: ({ reloads: { last } }) => (last === undefined ? undefined : seconds(last.atMs)),
  },
  {
    name: 'lb4_source_ports_limit',
    help: 'Source ports that the system has for connections to one address; absent where it does not say.',
    of: ({ sourcePorts }) => sourcePorts,
  },
];

export const LOGS: readonly Shown<LogFigures>[] = [
  {
    name: 'lb4_log_lines_lost_total',
    help: "Lines that have not arrived. Of an access log that goes where the log goes, they are the log's.",
    type: 'counter',
    of: ({ linesLost }) => linesLost,
  },
  {
    name: 'lb4_log_broken',
    help: 'Whether the destination takes nothing now.',
    of: ({ isBroken }) => flag(isBroken),
  },
];
