/**
 * What a PostgreSQL server says before TLS, for a listener that wants all its clients to speak TLS.
 *
 * Place: the data plane makes one for each session and gives it to the engine. It knows one thing between two reads:
 * which requests it has answered.
 * Source: PostgreSQL "Message Flow" (protocol.sgml), "SSL Session Encryption" and "GSSAPI Session Encryption", and the
 * server's own ProcessSSLStartup and ProcessStartupPacket.
 * Invariants:
 * - Never throws, looks at no byte behind the first message, and asks for a bounded number of bytes.
 * - Nothing that a client has sent in the clear is ever taken for a part of what TLS protects (CVE-2021-23214).
 * - Only a request to cancel stays in the clear: clients before PostgreSQL 17 send it so although their sessions have
 *   TLS.
 */
import type { ServerOpening } from '../../engine/tls.ts';
import { parseClientHello } from '../tls-client-hello/index.ts';
import {
  CANCEL_BYTES,
  CANCEL_REQUEST,
  errorResponse,
  GSSENC_REQUEST,
  HEAD_BYTES,
  int32,
  NO,
  POSTGRES_ALPN,
  PROTOCOL_3,
  SSL_REQUEST,
  STARTUP_MOST_BYTES,
  YES,
} from './postgres-messages.ts';

type Read = ReturnType<ServerOpening['read']>;

const TLS_HANDSHAKE = 0x16;
const ACCEPT = Uint8Array.of(YES);
const DECLINE = Uint8Array.of(NO);
/** A record of TLS with the fatal alert no_application_protocol (RFC 7301 3.2). */
const NO_ALPN = Uint8Array.of(0x15, 3, 1, 0, 2, 2, 120);
/** invalid_authorization_specification and protocol_violation, as the server's own errors of this kind. */
const NOT_ENCRYPTED = errorResponse(
  '28000',
  'this server takes only encrypted connections: use sslmode=require or better',
);
const EARLY_DATA = errorResponse('08P01', 'received unencrypted data after a request for encryption');

const NOT_POSTGRES: Read = { kind: 'refuse', code: 'NOT_POSTGRES' };
const TLS_AT_ONCE: Read = { kind: 'tls', take: 0 };

export function postgresServer(): ServerOpening {
  let hasDeclined = false;
  return {
    read(bytes) {
      const [first] = bytes;
      if (first === TLS_HANDSHAKE) return directTls(bytes);
      // No first message of PostgreSQL is longer than some thousand bytes.
      if (first !== undefined && first !== 0) return NOT_POSTGRES;
      if (bytes.length < HEAD_BYTES) return { kind: 'more', bytes: HEAD_BYTES };
      const length = int32(bytes, 0);
      const number = int32(bytes, 4);
      if (length < HEAD_BYTES || length > STARTUP_MOST_BYTES) return NOT_POSTGRES;
      if (number === CANCEL_REQUEST) return cancel(bytes, length);
      if (number >>> 16 === PROTOCOL_3)
        return { kind: 'refuse', code: 'NOT_ENCRYPTED', answer: NOT_ENCRYPTED };
      const isRequest = number === SSL_REQUEST || (number === GSSENC_REQUEST && !hasDeclined);
      if (!isRequest || length !== HEAD_BYTES) return NOT_POSTGRES;
      if (bytes.length > HEAD_BYTES) return { kind: 'refuse', code: 'EARLY_DATA', answer: EARLY_DATA };
      if (number === SSL_REQUEST) return { kind: 'tls', take: HEAD_BYTES, answer: ACCEPT };
      hasDeclined = true;
      return { kind: 'again', take: HEAD_BYTES, answer: DECLINE };
    },
  };
}

/** Since PostgreSQL 17, and only for clients that say with ALPN that they mean it. */
function directTls(bytes: Uint8Array): Read {
  const parsed = parseClientHello(bytes);
  if (parsed.kind === 'incomplete') return { kind: 'more', bytes: parsed.bytes };
  if (parsed.kind !== 'hello') return { kind: 'refuse', code: 'BAD_CLIENT_HELLO' };
  if (parsed.hello.alpn.includes(POSTGRES_ALPN)) return TLS_AT_ONCE;
  return { kind: 'refuse', code: 'NO_ALPN', answer: NO_ALPN };
}

/** It has to be all that there is: the server that gets it closes the connection. */
function cancel(bytes: Uint8Array, length: number): Read {
  if (length < CANCEL_BYTES.least || length > CANCEL_BYTES.most) return NOT_POSTGRES;
  if (bytes.length < length) return { kind: 'more', bytes: length };
  return bytes.length === length ? { kind: 'clear' } : NOT_POSTGRES;
}
