/**
 * `lb4 doctor --live`: what a running lb4 reports of itself, judged.
 *
 * Place: from `/api/v1/status`, and from /proc/PID where the instance runs on this machine.
 */
import type { UpstreamView } from '../../model/snapshot.ts';
import type { ReadFile } from '../../support/cgroup.ts';
import { counted } from '../../support/counted.ts';
import { parseAddress } from '../../support/address.ts';
import { formatAge } from '../client/table.ts';
import type { StatusAnswer } from '../client/status.ts';
import { fail, ok, unknown, warn, type Finding, type Plan } from './finding.ts';
import { limitOf } from './kernel-files.ts';
import { grouped } from './words.ts';

const NEARLY = 0.8;

/** The process, as far as /proc shows it to this user. */
export interface RunningProcess {
  readonly read: ReadFile;
  /** Its open descriptors; undefined where they cannot be counted. */
  readonly descriptors: number | undefined;
}

export function judgeRunning(status: StatusAnswer, process: RunningProcess | undefined): Finding[] {
  return [
    ...state(status),
    ...openDescriptors(status, process),
    ...sessions(status),
    ...listeners(status),
    ...workers(status),
    ...status.upstreams.flatMap(upstream => [...backends(upstream), ...queue(upstream)]),
    ...mirror(status),
    ...overrides(status),
  ];
}

/** What it asks of the machine, so that this can be judged as for a configuration. */
export function planOf({ engine, maxSessions, workers, listeners, upstreams }: StatusAnswer): Plan {
  const addressOf = (text: string) => {
    const parsed = parseAddress(text);
    return parsed.ok ? [parsed.address] : [];
  };
  return {
    // The instance's own, which descriptors may have lowered: it has room for no more.
    maxSessions,
    workers: workers.length,
    workersForTls: workers.filter(each => each.engine !== engine).length,
    listeners: listeners.map(({ name, addresses }) => ({ name, addresses: addresses.flatMap(addressOf) })),
    upstreams: upstreams.map(({ name, backends }) => ({
      name,
      backends: backends.flatMap(({ backend, maxSessions: most }) =>
        addressOf(backend).map(address => ({ address, maxSessions: most })),
      ),
    })),
  };
}

function state({ state, ready, pid, uptimeMs }: StatusAnswer): Finding[] {
  const figure = `${state}, up ${formatAge(uptimeMs)}, pid ${pid}`;
  return [
    ready ? ok('state', figure) : warn('state', `${figure}: not ready`, 'clients should be sent elsewhere'),
  ];
}

function openDescriptors({ pid }: StatusAnswer, process: RunningProcess | undefined): Finding[] {
  const check = 'its descriptors';
  const why = 'run doctor on its machine, as its user or as root';
  if (process === undefined) return [unknown(check, `process ${pid} cannot be seen from here`, why)];
  const [soft] = limitOf(process.read, 'Max open files', pid) ?? [];
  if (soft === undefined || process.descriptors === undefined)
    return [unknown(check, `/proc/${pid} cannot be read`, why)];
  const figure = `${grouped(process.descriptors)} of ${grouped(soft)} in use`;
  const advice = `LimitNOFILE=, --ulimit nofile= or ulimit -n, then a restart`;
  return [process.descriptors >= soft * NEARLY ? warn(check, figure, advice) : ok(check, figure)];
}

function sessions({ sessions, maxSessions }: StatusAnswer): Finding[] {
  const check = 'its sessions';
  if (maxSessions === undefined) return [ok(check, `${grouped(sessions)}, no limit`)];
  const figure = `${grouped(sessions)} of ${grouped(maxSessions)}`;
  const advice = 'a higher limits.maxSessions with the descriptors for it, or another instance';
  if (sessions >= maxSessions) return [fail(check, `${figure}: new clients wait`, advice)];
  return [sessions >= maxSessions * NEARLY ? warn(check, figure, advice) : ok(check, figure)];
}

function listeners({ listeners }: StatusAnswer): Finding[] {
  return listeners.map(({ name, stopped, paused, pausedMs, sessions }) => {
    const check = `listener ${name}`;
    if (stopped === true)
      return fail(check, 'does not listen: its upstream has no backend', 'backends that are well');
    if (!paused) return ok(check, `open, ${counted(sessions, 'session')}`);
    const since = pausedMs === undefined ? '' : ` for ${formatAge(pausedMs)}`;
    return fail(
      check,
      `new clients wait${since}, with ${counted(sessions, 'session')}`,
      'a higher maxSessions of the listener or the instance, or more backends',
    );
  });
}

function workers({ workers }: StatusAnswer): Finding[] {
  const astray = workers.filter(each => each.state !== 'running');
  if (astray.length === 0)
    return workers.length === 0 ? [] : [ok('workers', `${counted(workers.length, 'worker')}, all running`)];
  return astray.map(each =>
    fail(
      'workers',
      `worker ${each.worker} is ${each.state}`,
      'the log says why; the machine may be out of processors',
    ),
  );
}

function backends({ name, mode, backends, limit }: UpstreamView): Finding[] {
  const check = `upstream ${name}`;
  const members = backends.filter(each => each.state !== 'removed');
  const out = members.filter(each => ['down', 'ejected', 'trial', 'unresolved'].includes(each.state));
  const full = members.filter(each => each.maxSessions !== undefined && each.sessions >= each.maxSessions);
  const named = (some: typeof members) => some.map(each => `${each.backend} (${each.state})`).join(', ');
  const look = 'lb4 top and the log say why';
  if (mode === 'down') return [fail(check, `no backend gets sessions: ${named(members)}`, look)];
  if (mode === 'panic') return [fail(check, `no backend or too few are well: ${named(out)}`, look)];
  if (out.length > 0)
    return [warn(check, `${out.length} of ${counted(members.length, 'backend')} out: ${named(out)}`, look)];
  if (mode === 'backups') return [warn(check, 'backups stand in', look)];
  if (full.length === members.length && full.length > 0)
    return [
      fail(
        check,
        'every backend is at its maxSessions: clients wait in the queue',
        'more backends, or a higher maxSessions',
      ),
    ];
  if (limit !== undefined && limit.sessions >= limit.max)
    return [
      fail(
        check,
        `${grouped(limit.sessions)} of ${grouped(limit.max)} sessions: clients wait in the queue`,
        'a higher limits.maxSessions of the upstream',
      ),
    ];
  return [ok(check, `${counted(members.length, 'backend')}, none out`)];
}

function queue({ name, queue: { waiting, max, longestMs } }: UpstreamView): Finding[] {
  if (waiting === 0) return [];
  const figure = `${grouped(waiting)} of ${grouped(max)} wait, up to ${formatAge(longestMs)}`;
  const advice = 'more backends, or a higher maxSessions of the backends';
  return [waiting >= max ? fail(`queue ${name}`, figure, advice) : warn(`queue ${name}`, figure, advice)];
}

function mirror({ mirror }: StatusAnswer): Finding[] {
  return (mirror?.upstreams ?? []).map(({ upstream, mode, trouble, others }) =>
    mode === 'shared'
      ? ok(`counts of ${upstream}`, `shared with ${counted(others.length, 'other instance')}`)
      : fail(
          `counts of ${upstream}`,
          `not shared: ${trouble?.message ?? 'no exchange yet'}`,
          'see the check redis, with -c',
        ),
  );
}

function overrides({ upstreams }: StatusAnswer): Finding[] {
  return upstreams.flatMap(({ name, overrides }) =>
    overrides.length === 0
      ? []
      : [
          warn(
            'configuration',
            `${name}: ${counted(overrides.length, 'change')} by operators: ${overrides.map(({ backend, what }) => `${what} ${backend}`).join(', ')}`,
            'a restart undoes them; write them into the file if they are to stay',
          ),
        ],
  );
}
