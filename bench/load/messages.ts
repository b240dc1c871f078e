/**
 * The bytes that clients and backends exchange: fixed on both sides, so that neither parses and both can verify.
 *
 * Body sizes: one packet with the head, one pipe-full, and 10 MB (not MiB), so that a hundred are a GB.
 */

export const BODY_BYTES = { small: 64, medium: 16 * 1024, bulk: 10_000_000 } as const;

/** One HTTP/1.1 request; the backends look for its blank line and at nothing else. */
export const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: bench\r\n\r\n');

/** The same to a backend that has both, for the large answer. */
export const BULK_REQUEST = Buffer.from('GET /bulk HTTP/1.1\r\nHost: bench\r\n\r\n');

/** A whole HTTP/1.1 response with a body of that many bytes. */
export function response(bodyBytes: number, connection: 'keep-alive' | 'close'): Buffer {
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${String(bodyBytes)}\r\nConnection: ${connection}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bodyBytes, 'x')]);
}
