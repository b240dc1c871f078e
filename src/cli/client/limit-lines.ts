/**
 * The limits of each listener that has any, as a table: of all its sessions, of each client and network, of each session.
 *
 * Place: a part of `lb4 status`.
 */
import type { LimitsView, ListenerView } from '../../model/snapshot.ts';
import { formatBandwidth } from '../../support/bandwidth.ts';
import { formatTable } from './table.ts';

type Cells = readonly (string | number)[];

const NONE = '-';

export function limitLines(listeners: readonly ListenerView[], width: number): string[] {
  const rows = listeners.flatMap(({ name, limits }) =>
    limits === undefined ? [] : rowsOf(limits).map((cells, i) => [i === 0 ? name : '', ...cells]),
  );
  if (rows.length === 0) return [];
  const columns = [
    { name: 'LISTENER', mayShrink: true },
    { name: 'LIMIT OF' },
    { name: 'SESSIONS', isNumber: true },
    { name: 'NEW', isNumber: true },
    { name: 'FROM CLIENT', isNumber: true },
    { name: 'FROM BACKEND', isNumber: true },
  ];
  return ['\n', formatTable(columns, rows, width)];
}

function rowsOf({ dryRun, maxSessions, rate, perClient, perNetwork, ...bytes }: LimitsView): Cells[] {
  const tried = dryRun === true ? ' (dry run)' : '';
  const { bandwidth, perSession } = bytes;
  const row = (of: string, sessions?: number, news?: string, pace: LimitsView['bandwidth'] = {}): Cells[] => {
    const paces = [pace.fromClient, pace.fromBackend];
    if ([sessions, news, ...paces].every(each => each === undefined)) return [];
    const speeds = paces.map(each => (each === undefined ? NONE : formatBandwidth(each)));
    return [[of, sessions ?? NONE, news ?? NONE, ...speeds]];
  };
  return [
    // Its rate alone is tried out: the others hold.
    ...row(rate === undefined ? 'all' : `all${tried && ' (rate: dry run)'}`, maxSessions, rate, bandwidth),
    ...row(`each client${tried}`, perClient?.sessions, perClient?.rate),
    ...row(`each network${tried}`, perNetwork?.sessions, perNetwork?.rate),
    ...row('each session', undefined, undefined, perSession?.bandwidth),
  ];
}
