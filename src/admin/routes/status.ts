/** Routes that only read: whether it is alive, whether it is ready, and everything that is going on. */
import * as z from 'zod';
import type { LastReload, ReloadReport } from '../../model/reload-report.ts';
import type { ProcessFigures } from '../../model/process-figures.ts';
import { countedSnapshot } from '../counted-status.ts';
import { findUpstream } from '../find-upstream.ts';
import { Problem } from '../problem.ts';
import { NO_RELOAD } from './reload.ts';
import { route, type RouteDeps } from '../route.ts';
import { status, upstream } from '../schemas.ts';

const JSON_OK = 200;
/** A file can have thousands. */
const MOST_PROBLEMS = 10;
const MOST_CHANGES = 10;

export const statusRoutes = [
  route({
    method: 'GET',
    path: '/healthz',
    summary: 'Whether the process is alive.',
    isOpen: true,
    answers: { 200: { means: 'It is.', schema: z.strictObject({ status: z.literal('ok') }) } },
    handle: () => ({ status: JSON_OK, body: { status: 'ok' } }),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    summary: 'Whether it takes new clients.',
    isOpen: true,
    answers: {
      200: { means: 'It does.', schema: z.strictObject({ status: z.literal('ready') }) },
      503: { means: 'It does not: it starts or drains, or an upstream has no backend.' },
    },
    handle: (_, deps) => {
      const why = whyNotReady(deps);
      if (why !== undefined) throw new Problem(503, why);
      return { status: JSON_OK, body: { status: 'ready' } };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/status',
    summary: 'Everything that is going on.',
    answers: { 200: { means: 'The instance, its workers, listeners and upstreams.', schema: status } },
    handle: (_, deps) => ({ status: JSON_OK, body: statusOf(deps) }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/upstreams',
    summary: 'All upstreams, with their backends.',
    answers: {
      200: {
        means: 'In the order of the configuration.',
        schema: z.strictObject({ upstreams: z.array(upstream) }),
      },
    },
    handle: (_, { balancer }) => {
      const { upstreams } = countedSnapshot(balancer);
      return { status: JSON_OK, body: { upstreams } };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/upstreams/{upstream}',
    summary: 'One upstream, with its backends.',
    answers: {
      200: { means: 'The upstream.', schema: upstream },
      404: { means: 'There is none of this name.' },
    },
    handle: ({ params: { upstream: name = '' } }, { balancer }) => ({
      status: JSON_OK,
      body: findUpstream(countedSnapshot(balancer).upstreams, name),
    }),
  }),
];

type Shown = Pick<
  RouteDeps,
  | 'balancer'
  | 'about'
  | 'uptimeMs'
  | 'lastReload'
  | 'figures'
  | 'logs'
  | 'wallClock'
  | 'file'
  | 'reload'
  | 'noReload'
>;

/** Also sent to clients that follow it (events/event-streams.ts). */
export function statusOf(shown: Shown) {
  const { balancer, about, uptimeMs, lastReload, figures, logs, wallClock, file, reload } = shown;
  const noReload = shown.noReload ?? (reload === undefined ? NO_RELOAD : undefined);
  const last = lastReload?.();
  return {
    ...{ ...about, uptimeMs: uptimeMs(), ...countedSnapshot(balancer) },
    configuration: { file, noReload },
    ...(last === undefined ? {} : { lastReload: lastReloadOf(last, wallClock()) }),
    ...(figures === undefined ? {} : { process: processOf(figures()) }),
    ...(logs === undefined ? {} : { logs: logs() }),
  };
}

function processOf({ openDescriptors, descriptorLimit, sourcePorts }: ProcessFigures) {
  const isLimited = Number.isFinite(descriptorLimit);
  return { openDescriptors, descriptorLimit: isLimited ? descriptorLimit : undefined, sourcePorts };
}

function lastReloadOf(report: ReloadReport, nowMs: number): LastReload {
  const { at, trigger, file, ok } = report;
  const same = { at, agoMs: Math.max(0, nowMs - Date.parse(at)), trigger, file, ok };
  if (report.ok) {
    const changed = report.changes.slice(0, MOST_CHANGES).map(({ text }) => text);
    return { ...same, changes: report.changes.length, changed, problems: [], problemsInAll: 0 };
  }
  const texts = report.problems.map(({ text }) => text);
  return {
    ...{ ...same, changes: 0, changed: [], reason: report.reason },
    ...{ problems: texts.slice(0, MOST_PROBLEMS), problemsInAll: texts.length },
  };
}

function whyNotReady({ balancer, readyNeeds, isHandedOver }: RouteDeps): string | undefined {
  // A client of this address that came just before the hand-over asks for the instance, not for the process that drains.
  if (isHandedOver?.() === true) return undefined;
  const { ready, state, listeners, upstreams } = balancer.snapshot();
  if (!ready) return `lb4 is ${state}`;
  if (listeners.length > 0 && listeners.every(({ stopped }) => stopped === true))
    return 'no listener listens, because their upstreams have no backend';
  if (readyNeeds !== 'upstream') return undefined;
  const down = upstreams.filter(({ backends }) => !backends.some(({ takesSessions }) => takesSessions));
  if (down.length === 0) return undefined;
  return `no backend takes sessions in ${down.map(({ name }) => name).join(', ')}`;
}
