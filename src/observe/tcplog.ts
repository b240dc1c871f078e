/**
 * A session as a line of HAProxy's `option tcplog`, for programs that read those.
 *
 * Place: one form of the access log. What HAProxy counts at that moment and a record does not have (sessions of the
 * process, the frontend, the backend and the server, places in the queue) is 0.
 * Invariant: no value has a blank in it, so the columns stay where they are.
 */
import type { SessionRecord } from '../model/session-record.ts';
import type { Phase, Reason } from '../model/termination.ts';
import { monthOf, two } from './destinations/syslog.ts';

/** `client:port [accepted] frontend backend/server Tw/Tc/Tt bytes state actconn/…/retries queues`. */
export function tcplog(record: SessionRecord): string {
  const { upstream, backend, attempts } = record;
  const client = record.clientAddress === '' ? 'unix' : record.clientAddress;
  const server = backend === undefined ? '<NOSRV>' : backend.replace(/\s/g, '_');
  // HAProxy: -1 where the session did not get that far.
  const waited = backend === undefined ? -1 : Math.round(record.queuedMs ?? 0);
  const connected = record.connectMs === undefined ? -1 : Math.round(record.connectMs);
  const times = [waited, connected, Math.round(record.durationMs)].join('/');
  const wentOn = record.tried.some(each => each !== backend);
  const retries = `${wentOn ? '+' : ''}${Math.max(0, attempts - 1)}`;
  return [
    `${client}:${record.clientPort}`,
    `[${acceptedAt(new Date(record.startedAtMs))}]`,
    record.listener,
    `${upstream}/${server}`,
    times,
    String(record.bytesFromBackend),
    stateOf(record),
    `0/0/0/0/${retries}`,
    '0/0',
  ].join(' ');
}

/** In local time, as HAProxy writes it. */
function acceptedAt(time: Date): string {
  const day = `${two(time.getDate())}/${monthOf(time)}/${time.getFullYear()}`;
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':');
  return `${day}:${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

/** The first letter: what ended the session. Small letters are timeouts. */
const CAUSES: Partial<Record<Reason, string>> = {
  idle: 'c',
  halfClosed: 'c',
  lifetime: 'P',
  noBackend: 'S',
  full: 'P',
  queueTimeout: 's',
  retryBudget: 'S',
  deadline: 's',
  refused: 'S',
  timeout: 's',
  unreachable: 'S',
  tls: 'S',
  localResources: 'R',
  backendDown: 'D',
  primaryBack: 'U',
  operator: 'K',
  drainTimeout: 'K',
  stopped: 'K',
  workerDied: 'I',
};
const SIDES = { client: 'C', backend: 'S', balancer: 'P' } as const;
/** The second letter: how far it had come. */
const PHASES: Record<Phase, string> = { admission: 'R', queue: 'Q', connect: 'C', relay: 'D', drain: 'D' };

function stateOf({ by, phase, reason }: SessionRecord): string {
  if (reason === 'closed') return '--';
  return `${CAUSES[reason] ?? SIDES[by]}${PHASES[phase]}`;
}
