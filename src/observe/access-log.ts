/**
 * The access log: one line per session, written when it ends; sessions whose line cannot be written are counted.
 *
 * Place: a subscriber to `session:closed`; fields as in docs/access-log.md.
 */
import type { Config } from '../config/schema/schema.ts';
import { ACCESS_FIELDS, TLS_FIELDS, type AccessField } from '../model/access-fields.ts';
import type { SessionRecord } from '../model/session-record.ts';
import type { EventSource } from './event-source.ts';
import type { Log, LogFields } from './log.ts';
import { tcplog } from './tcplog.ts';

export interface AccessOptions {
  /** Below `info` for the log's own entry, which was not asked for; default: `info`. */
  readonly level?: 'info' | 'debug';
  /** Lines have the form of HAProxy's; default: that of the log. */
  readonly tcplog?: boolean | undefined;
  readonly only?: 'errors' | undefined;
  /** Sessions that have lasted this long. */
  readonly slowerThan?: number | undefined;
  /** The share of all others; default: 0 beside `only` and `slowerThan`, else 1. */
  readonly sample?: number | undefined;
  readonly fields?: readonly AccessField[] | undefined;
}

type AccessConfig = Config['log']['access'];

export function accessOptions(access: Exclude<AccessConfig, false>): AccessOptions {
  return { ...access, tcplog: access.format === 'tcplog' };
}

/**
 * Logs sessions as the configuration wants it: in the access log, without one as entries of level `debug` in the log, or
 * not at all. Returns a function that ends it.
 */
export function followSessions(
  source: EventSource,
  access: AccessConfig,
  logs: { readonly log: Log; readonly access: () => Log },
  random: () => number,
): () => void {
  if (access !== false) return logSessions(source, logs.access(), accessOptions(access), random);
  if (logs.log.isEnabled('debug')) return logSessions(source, logs.log, { level: 'debug' });
  return () => undefined;
}

/** Returns a function that ends it. */
export function logSessions(
  source: EventSource,
  log: Log,
  options: AccessOptions = {},
  random: () => number = () => 0,
): () => void {
  const { level = 'info', fields: chosen = ACCESS_FIELDS } = options;
  const isWanted = wanted(options, random);
  const endClosed = source.on('session:closed', record => {
    if (!isWanted(record)) return;
    if (options.tcplog === true) {
      log.write(level, 'session', tcplog(record));
      return;
    }
    const all = accessFields(record);
    const fields = chosen === ACCESS_FIELDS ? all : Object.fromEntries(chosen.map(key => [key, all[key]]));
    log.write(level, 'session', log.format === 'text' ? textOf(fields) : undefined, fields);
  });
  const endUnrecorded = source.on('session:unrecorded', ({ sessions }) => log.lose(sessions));
  return () => {
    endClosed();
    endUnrecorded();
  };
}

/** Whether every session has a line, so that sessions can be counted in place of lines. */
export function isWhole({ only, slowerThan, sample = 1 }: AccessOptions): boolean {
  return only === undefined && slowerThan === undefined && sample === 1;
}

function wanted(options: AccessOptions, random: () => number): (record: SessionRecord) => boolean {
  if (isWhole(options)) return () => true;
  const { only, slowerThan } = options;
  const { sample = only === undefined && slowerThan === undefined ? 1 : 0 } = options;
  return ({ reason, durationMs }) =>
    (only === 'errors' && reason !== 'closed') ||
    (slowerThan !== undefined && durationMs >= slowerThan) ||
    (sample > 0 && random() < sample);
}

/** The record as flat fields; `startedAt` is ISO 8601, times are milliseconds. */
export function accessFields(
  record: SessionRecord,
): Readonly<Partial<Record<AccessField, LogFields[string]>>> {
  return {
    session: record.id,
    startedAt: new Date(record.startedAtMs).toISOString(),
    client: clientOf(record),
    proxy: record.proxyAddress === '' ? 'unix' : record.proxyAddress,
    uniqueId: record.uniqueId,
    serverName: record.serverName,
    ...(record.tlsVersion === undefined
      ? {}
      : Object.fromEntries(TLS_FIELDS.map(field => [field, record[field]]))),
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
    queuedMs: milliseconds(record.queuedMs),
    connectMs: milliseconds(record.connectMs),
    firstByteMs: milliseconds(record.firstByteMs),
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

function milliseconds(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 1000) / 1000;
}
