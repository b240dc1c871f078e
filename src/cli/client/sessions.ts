/** `lb4 sessions`: the sessions of a running lb4; with `--end` those that match are reset. */
import type { ExitCode } from '../exit-codes.ts';
import { counted } from '../../support/counted.ts';
import { showClient, type OutputOptions } from './client-command.ts';
import { formatAge, formatBytes, formatTable } from './table.ts';

export interface SessionsOptions extends OutputOptions {
  readonly listener?: string;
  readonly upstream?: string;
  readonly backend?: string;
  readonly client?: string;
  readonly olderThan?: string;
  readonly moreBytesThan?: string;
  readonly limit?: string;
  readonly end?: boolean;
}

interface SessionsAnswer {
  readonly sessions: readonly {
    readonly id: string;
    readonly upstream: string;
    readonly backend?: string;
    readonly clientAddress: string;
    readonly clientPort: number;
    readonly serverName?: string;
    readonly clientCertificate?: string;
    readonly phase: string;
    readonly ageMs: number;
    readonly bytesFromClient: number;
    readonly bytesFromBackend: number;
  }[];
  readonly more: boolean;
}

const FILTERS = ['listener', 'upstream', 'backend', 'client', 'olderThan', 'moreBytesThan', 'limit'] as const;

export async function showSessions(options: SessionsOptions): Promise<ExitCode> {
  const params = new URLSearchParams();
  for (const name of FILTERS) {
    const value = options[name];
    if (value !== undefined) params.set(name, value);
  }
  const query = params.toString();
  const path = query === '' ? '/api/v1/sessions' : `/api/v1/sessions?${query}`;
  return showClient(options, async ({ client, width }) => {
    if (options.end === true) {
      const answer = (await client.ask('DELETE', path)) as { readonly ended: number };
      return { answer, text: () => `${counted(answer.ended, 'session')} ended\n` };
    }
    const answer = (await client.ask('GET', path)) as SessionsAnswer;
    return { answer, text: () => sessionsText(answer, width) };
  });
}

export function sessionsText({ sessions, more }: SessionsAnswer, width: number): string {
  const isNamed = sessions.some(({ serverName }) => serverName !== undefined);
  const isCertified = sessions.some(({ clientCertificate }) => clientCertificate !== undefined);
  const table = formatTable(
    [
      { name: 'ID' },
      { name: 'CLIENT', mayShrink: true },
      ...(isCertified ? [{ name: 'CERTIFICATE', mayShrink: true }] : []),
      ...(isNamed ? [{ name: 'NAME', mayShrink: true }] : []),
      { name: 'UPSTREAM', mayShrink: true },
      { name: 'BACKEND', mayShrink: true },
      { name: 'AGE', isNumber: true },
      { name: 'IN', isNumber: true },
      { name: 'OUT', isNumber: true },
    ],
    sessions.map(each => [
      each.id,
      clientOf(each),
      ...(isCertified ? [each.clientCertificate ?? '-'] : []),
      ...(isNamed ? [each.serverName ?? '-'] : []),
      each.upstream,
      each.phase === 'relay' ? (each.backend ?? '-') : `(${each.phase})`,
      formatAge(each.ageMs),
      formatBytes(each.bytesFromClient),
      formatBytes(each.bytesFromBackend),
    ]),
    width,
  );
  return more ? `${table}and more; --limit shows up to 100000\n` : table;
}

function clientOf({ clientAddress, clientPort }: SessionsAnswer['sessions'][number]): string {
  if (clientAddress === '') return 'unix socket';
  return clientAddress.includes(':') ? `[${clientAddress}]:${clientPort}` : `${clientAddress}:${clientPort}`;
}
