/**
 * The access log: one line per session, written when it ends; sessions whose line cannot be written are counted.
 *
 * Place: a subscriber to `session:closed`; fields as in docs/access-log.md.
 */
import type { SessionRecord } from '../model/session-record.ts';
import type { EventSource } from './event-source.ts';
import type { Log, LogFields } from './log.ts';

/**
 * Returns a function that ends it.
 * @param level below `info` for the log's own entry, which was not asked for
 */
export function logSessions(source: EventSource, log: Log, level: 'info' | 'debug' = 'info'): () => void {
  const endClosed = source.on('session:closed', record => {
    const fields = accessFields(record);
    log.write(level, 'session', log.format === 'text' ? textOf(fields) : undefined, fields);
  });
  const endUnrecorded = source.on('session:unrecorded', ({ sessions }) => log.lose(sessions));
  return () => {
    endClosed();
    endUnrecorded();
  };
}

/** The record as flat fields; `startedAt` is ISO 8601, times are milliseconds. */
export function accessFields(record: SessionRecord): LogFields {
  return {
    session: record.id,
    startedAt: new Date(record.startedAtMs).toISOString(),
    client: clientOf(record),
    localAddress: record.localAddress === '' ? 'unix' : record.localAddress,
    listener: record.listener,
    upstream: record.upstream,
    backend: record.backend,
    sourceAddress: record.sourceAddress === '' ? 'unix' : record.sourceAddress,
    attempts: record.attempts,
    tried: record.tried.length > 1 ? record.tried.join(',') : undefined,
    warm: record.warm,
    reused: record.reused,
    durationMs: milliseconds(record.durationMs),
    queuedMs: record.queuedMs === undefined ? undefined : milliseconds(record.queuedMs),
    connectMs: record.connectMs === undefined ? undefined : milliseconds(record.connectMs),
    firstByteMs: record.firstByteMs === undefined ? undefined : milliseconds(record.firstByteMs),
    bytesFromClient: record.bytesFromClient,
    bytesFromBackend: record.bytesFromBackend,
    by: record.by,
    phase: record.phase,
    reason: record.reason,
  };
}

function textOf(fields: LogFields): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key}=${value === undefined ? '-' : quoted(String(value))}`)
    .join(' ');
}

/** A value that could be misread, for example as ended or as absent, is quoted as in JSON. */
function quoted(value: string): string {
  return /^-?$|[\s"=]/.test(value) ? JSON.stringify(value) : value;
}

function clientOf({ clientAddress, clientPort }: SessionRecord): string {
  if (clientAddress === '') return 'unix';
  return clientAddress.includes(':') ? `[${clientAddress}]:${clientPort}` : `${clientAddress}:${clientPort}`;
}

function milliseconds(value: number): number {
  return Math.round(value * 1000) / 1000;
}
