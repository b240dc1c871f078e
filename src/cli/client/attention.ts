/**
 * What an operator should know first: what is out, full or refused, each in a sentence with its reason and since when.
 *
 * Place: the end of `lb4 status`; `lb4 backends` has the same sentences of backends.
 */
import type { LogView } from '../../model/log-view.ts';
import type { LastReload } from '../../model/reload-report.ts';
import type { BackendView, ListenerView, UpstreamView } from '../../model/snapshot.ts';
import { counted } from '../../support/counted.ts';
import { expiringOf } from './certificate-lines.ts';
import type { StatusAnswer } from './status.ts';
import { formatAge } from './table.ts';

/** `lb4 status` names at most this many backends. */
const MOST_BACKENDS = 10;

const TRIGGERS: Readonly<Record<LastReload['trigger'], string>> = {
  signal: 'SIGHUP',
  watch: 'a file has changed',
  api: 'admin API',
};

export function attentionOf({ lastReload, logs, listeners, upstreams }: StatusAnswer): string[] {
  const backends = upstreams.flatMap(backendsOut);
  const rest = backends.length - MOST_BACKENDS;
  return [
    ...reloadOf(lastReload),
    ...troublesOfLogs(logs),
    ...listeners.flatMap(troubleOf),
    ...expiringOf(listeners, upstreams),
    ...upstreams.flatMap(conditionOf),
    ...backends.slice(0, MOST_BACKENDS),
    ...(rest > 0 ? [`${counted(rest, 'more backend')}: lb4 backends has all`] : []),
  ];
}

/** The backends that are not well, or that only their last sessions hold. */
export function backendsOut({ name, backends }: Pick<UpstreamView, 'name' | 'backends'>): string[] {
  return backends
    .filter(({ state, why }) => state === 'removed' || why !== undefined)
    .map(backend => `backend ${backend.backend} of ${name}: ${outBecause(backend)}`);
}

function outBecause({ state, stateForMs, why, sessions }: BackendView): string {
  const since = `${state} for ${formatAge(stateForMs)}`;
  return state === 'removed' ? `${since}, ${counted(sessions, 'session')} left` : `${since}: ${why}`;
}

function reloadOf(last: LastReload | undefined): string[] {
  if (last === undefined || last.ok) return [];
  const { trigger, agoMs, file = '', reason, problems, problemsInAll } = last;
  const by = `${TRIGGERS[trigger]}, ${formatAge(agoMs)} ago`;
  const rest = problemsInAll - problems.length;
  const why = [...problems, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ');
  if (reason === 'refused') return [`the last reload was refused (${by}): ${why}`];
  return [`the last reload of ${file} failed (${by}), the configuration is as before: ${why}`];
}

/** Logs that take nothing now, or have lost lines. */
export function troublesOfLogs(logs: readonly LogView[] = []): string[] {
  return logs.flatMap(({ log, destination, linesLost, brokenAs }) => {
    const name = log === 'log' ? `the log (${destination})` : `the access log (${destination})`;
    const lost = `${counted(linesLost, 'line')} lost since the start`;
    if (brokenAs !== undefined) return [`${name} takes no lines: ${brokenAs}, ${lost}`];
    return linesLost === 0 ? [] : [`${name}: ${lost}`];
  });
}

function troubleOf({ name, stopped, pausedMs }: ListenerView): string[] {
  if (stopped === true)
    return [`listener ${name}: does not listen, because its upstream has no backend (stopWhenDown)`];
  return pausedMs === undefined
    ? []
    : [
        `listener ${name}: new clients wait, because a limit of sessions is reached, for ${formatAge(pausedMs)}`,
      ];
}

function conditionOf({ name, mode, queue, sources = [] }: UpstreamView): string[] {
  const { waiting, max, longestMs } = queue;
  const wait = `${counted(waiting, 'session')} of at most ${max} wait for a backend with room, the longest for ${formatAge(longestMs)}`;
  const inMode = MODES[mode];
  return [
    ...(inMode === undefined ? [] : [`upstream ${name}: ${inMode}`]),
    ...(waiting === 0 ? [] : [`upstream ${name}: ${wait}`]),
    ...sources.flatMap(({ source, why, failingForMs = 0, backends }) =>
      why === undefined
        ? []
        : [
            `upstream ${name}: ${source} has failed for ${formatAge(failingForMs)}: ${why}; ${counted(backends, 'backend')} from before`,
          ],
    ),
  ];
}

const MODES: Readonly<Record<UpstreamView['mode'], string | undefined>> = {
  normal: undefined,
  backups: 'backups stand in for the other backends',
  panic: 'health is ignored, because too few backends are well',
  down: 'no backend takes sessions, new clients are refused',
};
