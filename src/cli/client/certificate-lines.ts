/**
 * The certificates of listeners and upstreams, as a table, and what clients have to show.
 *
 * Place: a part of `lb4 status`.
 */
import type { ListenerView, TlsView, UpstreamView } from '../../model/snapshot.ts';
import { WARNED_DAYS } from '../../model/words.ts';
import { formatTable } from './table.ts';

const NAMES_SHOWN = 4;

interface Owner {
  readonly owner: string;
  readonly tls: TlsView;
}

export function certificateLines(
  listeners: readonly ListenerView[],
  upstreams: readonly UpstreamView[],
  width: number,
): string[] {
  const rows = ownersOf(listeners, upstreams).flatMap(({ owner, tls }) => {
    const { certificates, clients } = tls;
    const clientCa = clients === undefined ? '-' : `${clients.ca} (${clients.certificate})`;
    return certificates.map(({ names, file, notAfter, daysLeft }, i) => {
      const shown = names.length > NAMES_SHOWN ? [...names.slice(0, NAMES_SHOWN), '…'] : names;
      const expires =
        daysLeft < 0 ? `${notAfter.slice(0, 10)}, expired` : `${notAfter.slice(0, 10)}, ${daysLeft}d left`;
      return [i === 0 ? owner : '', shown.join(' ') || '-', file, expires, i === 0 ? clientCa : ''];
    });
  });
  if (rows.length === 0) return [];
  const columns = [
    { name: 'TLS OF', mayShrink: true },
    { name: 'NAMES', mayShrink: true },
    { name: 'CERTIFICATE', mayShrink: true },
    { name: 'EXPIRES' },
    { name: 'CLIENT CA', mayShrink: true },
  ];
  return ['\n', formatTable(columns, rows, width)];
}

/** Those that expire soon, in a sentence each. */
export function expiringOf(listeners: readonly ListenerView[], upstreams: readonly UpstreamView[]): string[] {
  return ownersOf(listeners, upstreams).flatMap(({ owner, tls }) =>
    tls.certificates.flatMap(({ file, notAfter, daysLeft }) => {
      if (daysLeft >= WARNED_DAYS) return [];
      const when = daysLeft < 0 ? `has expired (${notAfter})` : `expires in ${daysLeft}d (${notAfter})`;
      return [`${owner}: the certificate from ${file} ${when}`];
    }),
  );
}

function ownersOf(listeners: readonly ListenerView[], upstreams: readonly UpstreamView[]): Owner[] {
  return [
    ...listeners.flatMap(({ name, tls }) => (tls === undefined ? [] : [{ owner: `listener ${name}`, tls }])),
    ...upstreams.flatMap(({ name, tls }) => (tls === undefined ? [] : [{ owner: `upstream ${name}`, tls }])),
  ];
}
