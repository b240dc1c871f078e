/** `lb4 status`: the instance, its listeners and upstreams at a glance. */
import type { LogView } from '../../model/log-view.ts';
import type { LastReload } from '../../model/reload-report.ts';
import type { CountedSnapshot } from '../../model/counted-view.ts';
import type { ListenerView, UpstreamView } from '../../model/snapshot.ts';
import { counted } from '../../support/counted.ts';
import type { ExitCode } from '../exit-codes.ts';
import { attentionOf } from './attention.ts';
import { showClient, type OutputOptions } from './client-command.ts';
import { threadsText } from '../threads-text.ts';
import { certificateLines } from './certificate-lines.ts';
import { limitLines } from './limit-lines.ts';
import { paragraph } from './paragraph.ts';
import { formatAge, formatTable } from './table.ts';

/** In the table of routes. */
const ROUTES_SHOWN = 20;
const NAMES_SHOWN = 4;

/** What `/api/v1/status` answers. */
export interface StatusAnswer extends CountedSnapshot {
  readonly name: string;
  readonly version: string;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly lastReload?: LastReload;
  readonly logs?: readonly LogView[];
}

export async function showStatus(options: OutputOptions): Promise<ExitCode> {
  return showClient(options, async ({ client, width }) => {
    const answer = (await client.ask('GET', '/api/v1/status')) as StatusAnswer;
    return { answer, text: () => statusText(answer, width) };
  });
}

export function statusText(status: StatusAnswer, width: number): string {
  const { name, version, pid, uptimeMs, state, ready, engine, workers } = status;
  const threads = threadsText(engine, workers);
  // All listeners have one, or those with TLS have another.
  const hasEngines = workers.some(each => each.engine !== engine);
  const isReady = ready ? 'ready' : 'not ready';
  const most = status.maxSessions === undefined ? '' : `, at most ${status.maxSessions}`;
  const attention = attentionOf(status).map(text => paragraph(`  ${text}`, width, '    '));
  return [
    ...[
      `lb4 ${version}, ${name}: ${state}, ${isReady}, up ${formatAge(uptimeMs)}, pid ${pid}`,
      `engine ${engine}, ${threads}, ${counted(status.sessions, 'session')} now, ${status.sessionsEver} in all${most}`,
      ...workers.filter(each => each.state !== 'running').map(each => `worker ${each.worker}: ${each.state}`),
      ...mirrorLines(status),
    ].map(text => paragraph(text, width)),
    '\n',
    formatTable(
      [
        { name: 'LISTENER', mayShrink: true },
        { name: 'ADDRESS', mayShrink: true },
        { name: 'STATE' },
        ...(hasEngines ? [{ name: 'ENGINE' }] : []),
        { name: 'SESSIONS', isNumber: true },
      ],
      status.listeners.flatMap(listener => {
        const state = [stateOf(listener), ...(hasEngines ? [listener.engine] : [])];
        const more = state.map(() => '');
        return (listener.addresses.length === 0 ? ['-'] : listener.addresses).map((address, i) =>
          i === 0 ? [listener.name, address, ...state, listener.sessions] : ['', address, ...more, ''],
        );
      }),
      width,
    ),
    ...limitLines(status.listeners, width),
    ...routeLines(status, width),
    ...certificateLines(status.listeners, status.upstreams, width),
    '\n',
    formatTable(
      [
        { name: 'UPSTREAM', mayShrink: true },
        { name: 'MODE' },
        { name: 'STRATEGY', mayShrink: true },
        { name: 'BACKENDS' },
        { name: 'SESSIONS', isNumber: true },
        { name: 'QUEUE', isNumber: true },
      ],
      status.upstreams.map(upstream => [
        upstream.name,
        upstream.mode,
        upstream.strategy,
        backendsOf(upstream),
        upstream.backends.reduce((sum, { sessions }) => sum + sessions, 0),
        upstream.queue.waiting,
      ]),
      width,
    ),
    ...sourceLines(status, width),
    ...(attention.length === 0 ? [] : ['\nneeds attention:\n', ...attention]),
    ...overrideLines(status, width),
  ].join('');
}

/** Where TLS clients go: the first routes of each listener that has any. */
function routeLines({ listeners }: StatusAnswer, width: number): string[] {
  const rows = listeners.flatMap(({ name, sni }): string[][] => {
    if (sni === undefined) return [];
    const shown = sni.routes.slice(0, ROUTES_SHOWN).map(({ match, alpn, upstream }) => {
      const names = match.length > NAMES_SHOWN ? [...match.slice(0, NAMES_SHOWN), '…'] : match;
      return [names.join(' ') || '(any)', alpn.join(' ') || '-', upstream];
    });
    const left = sni.routes.length - shown.length;
    const others = sni.others === 'refuse' ? '(refused)' : '(as the listener)';
    const rest = [
      ...(left > 0 ? [[`and ${counted(left, 'route')} more`, '', '']] : []),
      ['others', '', others],
    ];
    return [...shown, ...rest].map((cells, i) => [i === 0 ? name : '', ...cells]);
  });
  if (rows.length === 0) return [];
  const columns = ['LISTENER', 'NAME', 'PROTOCOL', 'UPSTREAM'].map(name => ({ name, mayShrink: true }));
  return ['\n', formatTable(columns, rows, width)];
}

/** What names backends besides the configuration. */
function sourceLines({ upstreams }: StatusAnswer, width: number): string[] {
  const rows = upstreams.flatMap(({ name, sources = [] }) =>
    sources.map(({ source, state, backends, answeredAgoMs }) => {
      const answered = answeredAgoMs === undefined ? 'never' : `${formatAge(answeredAgoMs)} ago`;
      return [name, source, state, backends, answered];
    }),
  );
  if (rows.length === 0) return [];
  const columns = [
    { name: 'UPSTREAM', mayShrink: true },
    { name: 'SOURCE', mayShrink: true },
    { name: 'STATE' },
    { name: 'BACKENDS', isNumber: true },
    { name: 'ANSWERED' },
  ];
  return ['\n', formatTable(columns, rows, width)];
}

function backendsOf({ backends }: UpstreamView): string {
  const members = backends.filter(({ state }) => state !== 'removed');
  const taking = members.filter(({ takesSessions }) => takesSessions);
  return `${taking.length} of ${members.length}`;
}

/** What a restart would undo. */
function overrideLines({ upstreams }: StatusAnswer, width: number): string[] {
  const lines = upstreams.flatMap(({ name, overrides }) =>
    overrides.map(({ backend, what, configured, now }) => {
      const change = configured === undefined ? what : `${what} ${now}, configured ${configured}`;
      return paragraph(`  ${name} ${backend}: ${change}`, width, '    ');
    }),
  );
  return lines.length === 0 ? [] : ['\nother than configured, by operators:\n', ...lines];
}

function mirrorLines({ mirror }: StatusAnswer): string[] {
  return (mirror?.upstreams ?? []).map(({ upstream, mode, trouble, others }) => {
    const why = trouble === undefined ? '' : `: ${trouble.message}`;
    const shared = mode === 'shared' ? ` with ${counted(others.length, 'other instance')}` : why;
    return `counts of ${upstream}: ${mode}${shared}`;
  });
}

function stateOf({ stopped, paused }: ListenerView): string {
  if (stopped === true) return 'stopped';
  return paused ? 'full' : 'open';
}
