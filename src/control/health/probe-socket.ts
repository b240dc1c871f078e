/**
 * What probes that own their sockets call a backend, and how they leave it.
 *
 * Place: http, tls and sendExpect probes and the agent's question.
 * Why they leave with a FIN and then read on, at most a second: closing with unread bytes would reset the connection
 * (RFC 1122 4.2.2.13), which servers log, and some hold against the client.
 * Invariant: a socket that was left is gone within a second.
 */
import { isIP, type Socket } from 'node:net';
import { parseAddress } from '../../support/address.ts';
import type { SetTimer } from '../../support/timer.ts';
import { splitZone } from '../../support/zone.ts';

const LINGER_MS = 1_000;
const SWALLOWED_BYTES = 64 * 1024;
const UNIX_HOST = 'localhost';

/** Ends with `bye`, if any, and a FIN. Reads and drops what still comes, for a bounded time and amount. */
export function leave(
  socket: Socket,
  { bye, setTimer, timeoutMs }: { bye?: Uint8Array | undefined; setTimer: SetTimer; timeoutMs: number },
): void {
  let left = SWALLOWED_BYTES;
  socket.on('data', (chunk: Uint8Array) => {
    left -= chunk.length;
    if (left < 0) socket.destroy();
  });
  if (bye === undefined) socket.end();
  else socket.end(bye);
  // No longer than the timeout, so that this socket has gone before the next probe comes.
  const cancelTimer = setTimer(() => socket.destroy(), Math.min(LINGER_MS, timeoutMs));
  socket.once('close', cancelTimer);
  socket.unref();
}

/** The host of a backend's configured address: a name or an IP address without zone; for unix sockets `localhost`. */
export function hostOf(backend: string): string {
  const parsed = parseAddress(backend);
  return parsed.ok && parsed.address.kind === 'tcp' ? splitZone(parsed.address.host)[0] : UNIX_HOST;
}

/** Whether SNI may carry it: RFC 6066 3 forbids addresses. */
export function isName(host: string): boolean {
  return isIP(host) === 0;
}
