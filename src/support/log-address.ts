/**
 * Where syslog messages go, as text: `unix:/dev/log`, `udp:host:514`, `tcp:host:601`; and their facilities.
 *
 * Place: the configuration checks it, the log's destinations read it.
 */
import { parseAddress } from './address.ts';

/** The facilities of RFC 5424; their numbers are the positions. */
export const FACILITIES = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...['ntp', 'audit', 'alert', 'clock'],
  ...['local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
] as const;

export type LogAddress =
  | { readonly transport: 'unix'; readonly path: string }
  | { readonly transport: 'udp' | 'tcp'; readonly host: string; readonly port: number };

/** Undefined where it is none. */
export function parseLogAddress(text: string): LogAddress | undefined {
  const [, transport, rest = ''] = /^(udp|tcp):(.*)$/s.exec(text) ?? [];
  const parsed = parseAddress(transport === undefined ? text : rest);
  if (!parsed.ok) return undefined;
  const { address } = parsed;
  if (transport === undefined) {
    return address.kind === 'unix' ? { transport: 'unix', path: address.path } : undefined;
  }
  if (address.kind === 'unix') return undefined;
  return { transport: transport === 'udp' ? 'udp' : 'tcp', host: address.host, port: address.port };
}
