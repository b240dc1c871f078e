/**
 * The first messages of a PostgreSQL connection and the answers to them, as bytes.
 *
 * Place: postgres-server.ts and postgres-client.ts speak with them.
 * Source: PostgreSQL "Message Formats" and "Message Flow" (protocol.sgml): SSLRequest, GSSENCRequest, CancelRequest,
 * StartupMessage, ErrorResponse, "SSL Session Encryption".
 */

/** Of each first message: its length with itself, then a number that says which it is. */
export const HEAD_BYTES = 8;
export const SSL_REQUEST = 80_877_103;
export const GSSENC_REQUEST = 80_877_104;
export const CANCEL_REQUEST = 80_877_102;
/** The upper half of the number of a StartupMessage: the protocol's major version. */
export const PROTOCOL_3 = 3;
/** A process and its secret: 4 bytes, or up to 256 since protocol 3.2. */
export const CANCEL_BYTES = { least: 16, most: 268 };
/** As the server's own limit, MAX_STARTUP_PACKET_LENGTH. */
export const STARTUP_MOST_BYTES = 10_000;

export const YES = 0x53;
export const NO = 0x4e;
export const ERROR = 0x45;

/** What PostgreSQL's clients and servers of version 17 and later agree on in TLS. */
export const POSTGRES_ALPN = 'postgresql';

export function int32(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 4; i++) value = (value << 8) | (bytes[i] ?? 0);
  return value >>> 0;
}

export function request(number: number): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, HEAD_BYTES);
  view.setUint32(4, number);
  return bytes;
}

/** A FATAL ErrorResponse, which clients show to people. `message`: ASCII. */
export function errorResponse(sqlState: string, message: string): Uint8Array {
  const fields = [`SFATAL`, `VFATAL`, `C${sqlState}`, `M${message}`, ''].join('\0');
  const body = new TextEncoder().encode(`${fields}\0`);
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = ERROR;
  new DataView(bytes.buffer).setUint32(1, 4 + body.length);
  bytes.set(body, 5);
  return bytes;
}
