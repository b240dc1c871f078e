/**
 * What a client gets when no backend can be had: the listener's `whenUnavailable`.
 *
 * Place: called by the session when the dispatch has failed. A reset is the honest default: a client of another
 * protocol than HTTP must not mistake lb4's answer for its server's, nor an empty reply for success.
 */
import type { Connection } from '../../engine/engine.ts';
import type { WhenUnavailable } from '../../model/listener-plan.ts';

const BODY = 'No backend is available.\n';
/** RFC 9110 §15.6.4; the connection is closed after it, whatever the client asked for. */
const HTTP_503 = Buffer.from(
  [
    'HTTP/1.1 503 Service Unavailable',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${BODY.length}`,
    'Cache-Control: no-store',
    'Connection: close',
    '',
    BODY,
  ].join('\r\n'),
  'latin1',
);

export function refuse(client: Connection, whenUnavailable: WhenUnavailable): void {
  switch (whenUnavailable) {
    case 'reset':
      client.reset();
      return;
    case 'close':
      client.finish();
      return;
    case 'http503':
      client.finish(HTTP_503);
      return;
  }
}
