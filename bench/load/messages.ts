/**
 * The bytes that clients and backends exchange: fixed on both sides, so that neither parses and both can verify.
 *
 * 28 bytes of body as in the design's measurements; 10 MB (not MiB) for bulk, so that a hundred are a GB.
 */

export const SMALL_BODY_BYTES = 28;
export const BULK_BODY_BYTES = 10_000_000;

/** One HTTP/1.1 request; the backends look for its blank line and at nothing else. */
export const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: bench\r\n\r\n');

/** A whole HTTP/1.1 response with a body of that many bytes. */
export function response(bodyBytes: number, connection: 'keep-alive' | 'close'): Buffer {
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${String(bodyBytes)}\r\nConnection: ${connection}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bodyBytes, 'x')]);
}
