/**
 * A client that makes a TLS connection per request, with full handshakes or by resuming the session of an earlier one.
 *
 * Place: runs in the benchmark's own process, on the load core. It costs more than the balancer it measures, so the rate
 * says little; the balancer's CPU per connection is the figure.
 */
import { connect } from 'node:tls';
import { measureConnections, type ConnectLoad, type ConnectResult } from './connect-client.ts';
import { REQUEST } from './messages.ts';

export interface TlsResult extends ConnectResult {
  /** Of the answered ones, how many took up an earlier session. */
  readonly resumed: number;
}

interface Fetched {
  readonly bytes: number;
  readonly isResumed: boolean;
}

const STALL_MS = 10_000;

/** Runs all requests and resolves when the last connection is closed. */
export async function runTlsConnections(
  load: ConnectLoad & { readonly resume: boolean },
): Promise<TlsResult> {
  let resumed = 0;
  const result = await measureConnections(load, () => {
    const tickets: Tickets = { last: undefined };
    return async () => {
      const fetched = await fetchOnce(load.port, load.resume ? tickets : undefined);
      if (fetched?.bytes === load.responseBytes && fetched.isResumed) resumed++;
      return fetched?.bytes ?? -1;
    };
  });
  return { ...result, resumed };
}

interface Tickets {
  last: Buffer | undefined;
}

/** Undefined when the connection failed. */
function fetchOnce(port: number, tickets: Tickets | undefined): Promise<Fetched | undefined> {
  return new Promise(resolve => {
    let bytes = 0;
    let isResumed = false;
    let failed = false;
    const session = tickets?.last;
    const socket = connect({
      ...{ host: '127.0.0.1', port, servername: 'bench', rejectUnauthorized: false },
      ...(session !== undefined && { session }),
    });
    if (tickets !== undefined)
      socket.on('session', (ticket: Buffer) => {
        tickets.last = ticket;
      });
    socket.once('secureConnect', () => {
      isResumed = socket.isSessionReused();
      socket.write(REQUEST);
    });
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    socket.setTimeout(STALL_MS, () => socket.destroy(new Error('stalled')));
    socket.once('error', () => {
      failed = true;
    });
    socket.once('close', () => resolve(failed ? undefined : { bytes, isResumed }));
  });
}
