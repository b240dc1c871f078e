/**
 * What a PostgreSQL client says before TLS, for connections to backends.
 *
 * Place: the data plane and the health checks give it to what connects. It has no state and serves all connections.
 * Source: PostgreSQL "Message Flow: SSL Session Encryption" (protocol.sgml), and libpq's PQconnectPoll.
 * Invariants:
 * - Never throws, and asks for no more than the beginning of an error.
 * - A server without TLS is refused: nothing goes on in the clear.
 * - Nothing that came in the clear is ever taken for a part of what TLS protects (CVE-2021-23222).
 */
import type { ClientOpening } from '../../engine/tls.ts';
import { printable } from '../../support/printable.ts';
import { ERROR, NO, request, SSL_REQUEST, YES } from './postgres-messages.ts';

type Read = ReturnType<ClientOpening['read']>;

/** Of a server's own words, which nobody has proven to be the server's. */
const MOST_WORDS = 100;
/** Of an error that are looked at. */
const ERROR_MOST_BYTES = 1_024;

const MORE: Read = { kind: 'more' };

export const POSTGRES_CLIENT: ClientOpening = {
  request: request(SSL_REQUEST),
  read(bytes) {
    switch (bytes[0]) {
      case undefined:
        return MORE;
      case YES:
        return bytes.length === 1 ? { kind: 'tls', take: 1 } : { kind: 'refuse', code: 'EARLY_DATA' };
      case NO:
        return { kind: 'refuse', code: 'NO_TLS' };
      case ERROR:
        return error(bytes);
      default:
        return { kind: 'refuse', code: 'NOT_POSTGRES' };
    }
  },
};

/**
 * A server that cannot start a process says so as text up to a zero byte; another error has a length, then fields, of
 * which `M` is for people.
 */
function error(bytes: Uint8Array): Read {
  if (bytes.length < 2) return MORE;
  const hasFields = bytes[1] === 0;
  const text = Buffer.from(bytes.subarray(hasFields ? 5 : 1, ERROR_MOST_BYTES)).toString('latin1');
  const found = hasFields ? /(?:^|\0)M([^\0]*)\0/.exec(text) : /^([^\0]*)\0/.exec(text);
  if (found === null && bytes.length < ERROR_MOST_BYTES) return MORE;
  const words = printable((found?.[1] ?? '').trim().slice(0, MOST_WORDS));
  return { kind: 'refuse', code: words === '' ? 'SERVER_ERROR' : `SERVER_ERROR: ${words}` };
}
