/**
 * What a client, and a proxy in front of it, have said of themselves, in the record of a session.
 *
 * Place: a part of the session's record.
 */
import type { Connection } from '../../engine/engine.ts';
import type { SessionRecord } from '../../model/session-record.ts';
import type { Facts } from './gate.ts';
import { proxyIn } from './proxy-gate.ts';

type Told = Pick<SessionRecord, 'clientAddress' | 'clientPort' | 'proxyAddress' | 'uniqueId' | 'serverName'>;

export function toldIn(
  { clientAddress, clientPort, proxied, serverName }: Omit<Facts<unknown>, 'upstream'>,
  connection: Pick<Connection, 'peerAddress'>,
): Told {
  return {
    ...{ clientAddress, clientPort },
    ...(proxied && proxyIn(proxied, connection)),
    ...(serverName === undefined ? {} : { serverName }),
  };
}
