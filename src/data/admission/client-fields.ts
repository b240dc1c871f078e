/**
 * The fields of a session's record that the client, and a proxy in front of it, have given.
 *
 * Place: a part of the session's record.
 */
import type { Connection } from '../../engine/engine.ts';
import type { SessionRecord } from '../../model/session-record.ts';
import type { TlsFacts } from '../../engine/tls.ts';
import type { TLS_FIELDS } from '../../model/access-fields.ts';
import type { SessionView } from '../../model/session-view.ts';
import type { Facts } from './gate.ts';
import { proxyIn } from './proxy-gate.ts';

type TlsField = (typeof TLS_FIELDS)[number];
type ClientFields = Pick<
  SessionRecord,
  'clientAddress' | 'clientPort' | 'proxyAddress' | 'uniqueId' | 'serverName' | TlsField
>;

export function clientFields(
  { clientAddress, clientPort, proxied, serverName, tls }: Omit<Facts<unknown>, 'upstream'>,
  connection: Pick<Connection, 'peerAddress'>,
): ClientFields {
  return {
    ...{ clientAddress, clientPort },
    ...(proxied && proxyIn(proxied, connection)),
    ...(serverName === undefined ? {} : { serverName }),
    ...(tls && tlsFields(tls)),
  };
}

/** The same of a session that runs. */
export function viewFields({
  clientAddress,
  clientPort,
  serverName,
  tls,
}: Omit<Facts<unknown>, 'upstream'>): ClientView {
  const base = { clientAddress, clientPort, serverName };
  if (tls === undefined) return base;
  const { tlsVersion, alpn, clientCertificate } = tlsFields(tls);
  return { ...base, tlsVersion, alpn, clientCertificate };
}

type ClientView = Pick<
  SessionView,
  'clientAddress' | 'clientPort' | 'serverName' | 'tlsVersion' | 'alpn' | 'clientCertificate'
>;

function tlsFields({ version, cipher, isResumed, alpn, certificate }: TlsFacts) {
  return {
    ...{ tlsVersion: version, tlsCipher: cipher, tlsResumed: isResumed },
    ...{ alpn, clientCertificate: certificate?.name },
  };
}
