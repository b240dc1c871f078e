/**
 * The fields of a session's record that the client, and a proxy in front of it, have given.
 *
 * Place: a part of the session's record.
 */
import type { Connection } from '../../engine/engine.ts';
import type { SessionRecord } from '../../model/session-record.ts';
import type { Facts } from './gate.ts';
import { proxyIn } from './proxy-gate.ts';

type ClientFields = Pick<
  SessionRecord,
  'clientAddress' | 'clientPort' | 'proxyAddress' | 'uniqueId' | 'serverName'
>;

export function clientFields(
  { clientAddress, clientPort, proxied, serverName }: Omit<Facts<unknown>, 'upstream'>,
  connection: Pick<Connection, 'peerAddress'>,
): ClientFields {
  return {
    ...{ clientAddress, clientPort },
    ...(proxied && proxyIn(proxied, connection)),
    ...(serverName === undefined ? {} : { serverName }),
  };
}
