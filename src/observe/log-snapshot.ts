/**
 * `LoadBalancer.snapshot()` → log lines: what runs now, one line for each worker, listener, upstream and backend.
 *
 * Place: called by `lb4 run` at SIGUSR1. The lines have levels like any other; the caller ensures that they are shown.
 */
import type {
  AgentWord,
  BackendView,
  ListenerView,
  LoadBalancerSnapshot,
  MirrorView,
  OperatorOverride,
} from '../model/snapshot.ts';
import { counted } from '../support/counted.ts';
import type { ChannelFigures } from './channel.ts';
import type { Log } from './log.ts';
import type { LogsFigures } from './logs.ts';
import { seconds } from './spans.ts';

export function logSnapshot(snapshot: LoadBalancerSnapshot, log: Log, logs?: LogsFigures): void {
  const { state, engine, sessions, sessionsEver, maxSessions, workers } = snapshot;
  log.write(
    'info',
    'snapshot',
    [
      `snapshot: ${state}`,
      `engine ${engine === '' ? 'not chosen yet' : engine}`,
      counted(workers.length, 'worker'),
      `${counted(sessions, 'session')}${maxSessions === undefined ? '' : ` of at most ${maxSessions}`}`,
      `${sessionsEver} since the start`,
    ].join(', '),
    { state, engine, workers: workers.length, sessions, maxSessions, sessionsEver },
  );
  for (const worker of workers) {
    const other = worker.engine === engine ? '' : ` with the ${worker.engine} engine`;
    const message = `worker ${worker.worker}: ${worker.state}${other}, ${counted(worker.sessions, 'session')}, ${worker.sessionsEver} since the start`;
    log.write('info', 'snapshotWorker', message, { ...worker });
  }
  for (const listener of snapshot.listeners) logListener(listener, log);
  for (const upstream of snapshot.upstreams) {
    logUpstream(upstream, log);
    for (const backend of upstream.backends) logBackend(upstream.name, backend, log);
  }
  if (snapshot.mirror !== undefined) logMirror(snapshot.mirror, log);
  if (logs !== undefined) logDestination('log', logs.log, log);
  if (logs?.access !== undefined) logDestination('access log', logs.access, log);
}

function logDestination(what: string, { destination, lost, brokenAs }: ChannelFigures, log: Log): void {
  const state = brokenAs === undefined ? '' : `, which takes no lines now (${brokenAs})`;
  const message = `${what}: to ${destination}${state}, ${counted(lost, 'line')} lost`;
  log.write('info', 'snapshotLog', message, { log: what, destination, lost, code: brokenAs });
}

const STOPPED = 'stopped, because its upstream has no backend';

function logListener(
  { name, addresses, stopped, paused, pausedMs, sessions, engine }: ListenerView,
  log: Log,
): void {
  const on = addresses.length === 0 ? '' : ` on ${addresses.join(', ')}`;
  const since = pausedMs === undefined ? '' : ` for ${seconds(pausedMs)}`;
  const open = `${paused ? `paused${since}, new clients wait` : 'accepting'}${on}`;
  const state = stopped !== true ? open : on === '' ? STOPPED : `${STOPPED}; ${open}`;
  log.write('info', 'snapshotListener', `listener ${name}: ${state}, ${counted(sessions, 'session')}`, {
    listener: name,
    addresses: addresses.join(' '),
    stopped,
    paused,
    pausedMs,
    sessions,
    engine,
  });
}

function logUpstream(
  { name, strategy, mode, queue, backends, overrides }: LoadBalancerSnapshot['upstreams'][number],
  log: Log,
): void {
  const taking = backends.filter(({ takesSessions }) => takesSessions).length;
  log.write(
    'info',
    'snapshotUpstream',
    [
      `upstream ${name}: mode ${mode}`,
      `strategy ${strategy}`,
      `${taking} of ${counted(backends.length, 'backend')} ${taking === 1 ? 'takes' : 'take'} sessions`,
      `${counted(queue.waiting, 'session')} in the queue (at most ${queue.max})`,
      ...(queue.longestMs === 0 ? [] : [`the longest wait was ${seconds(queue.longestMs)}`]),
      ...(overrides.length === 0 ? [] : [`other than configured, by operators: ${overrideWords(overrides)}`]),
    ].join(', '),
    {
      upstream: name,
      mode,
      strategy,
      taking,
      backends: backends.length,
      waiting: queue.waiting,
      queueMax: queue.max,
      longestMs: queue.longestMs,
      overrides: overrides.length,
    },
  );
}

const MOST_OVERRIDES = 20;

function overrideWords(overrides: readonly OperatorOverride[]): string {
  const words = overrides
    .slice(0, MOST_OVERRIDES)
    .map(({ backend, what, configured, now }) =>
      configured === undefined
        ? `${backend} ${what}`
        : `${backend} ${what} ${now} (configured ${configured})`,
    );
  const rest = overrides.length - words.length;
  return [...words, ...(rest > 0 ? [`${rest} more`] : [])].join('; ');
}

function logBackend(upstream: string, backend: BackendView, log: Log): void {
  const {
    state,
    sessions,
    weight,
    share,
    health,
    operator,
    agent,
    ejection,
    elsewhere,
    pool,
    takesSessions,
  } = backend;
  const percent = Math.round(share * 100);
  const parts = [
    state,
    takesSessions ? 'takes sessions' : 'takes no sessions',
    counted(sessions, 'session'),
    ...(elsewhere === 0 ? [] : [`${elsewhere} at other instances`]),
    `weight ${weight}${percent === 100 ? '' : ` (${percent} % of it)`}`,
    `health ${health}`,
    ...(operator === 'ready' ? [] : [`set to ${operator} by an operator`]),
    ...(agent === undefined ? [] : [`agent says ${agentWords(agent)}`]),
    ...(ejection === undefined ? [] : [`ejected ${counted(ejection.times, 'time')} in a row`]),
    ...(backend.backup ? ['backup'] : []),
    ...(pool.parked === 0 ? [] : [counted(pool.parked, 'spare connection')]),
  ];
  log.write('info', 'snapshotBackend', `backend ${backend.backend} of ${upstream}: ${parts.join(', ')}`, {
    ...{ upstream, backend: backend.backend, state, takesSessions, sessions, elsewhere, weight, share },
    ...{ health, operator, backup: backend.backup, parked: pool.parked },
    ...(agent === undefined ? {} : { agent: agentWords(agent) }),
    ...(ejection === undefined ? {} : { ejections: ejection.times, ejectedForMs: ejection.forMs }),
  });
}

function logMirror({ instance, upstreams }: MirrorView, log: Log): void {
  for (const { upstream, mode, others, ageMs, trouble } of upstreams) {
    const age = ageMs === undefined ? '' : `, counts are at most ${Math.round(ageMs)} ms old`;
    const why = trouble === undefined ? '' : `: ${trouble.reason}`;
    log.write(
      'info',
      'snapshotMirror',
      `counts of upstream ${upstream}: ${mode}${why}, this is ${instance}, ${counted(others.length, 'other instance')}${age}`,
      { upstream, mode, instance, others: others.length, ageMs, reason: trouble?.reason },
    );
  }
}

function agentWords({ health, state, percent, maxSessions }: AgentWord): string {
  const limit = maxSessions === undefined ? '' : `, maxSessions ${maxSessions}`;
  return `${health} and ${state}, ${percent} % of the weight${limit}`;
}
