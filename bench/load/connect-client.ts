/**
 * A client that opens a connection per request: what ab does without -k, for machines without ab.
 *
 * Costs more CPU on the load core than ab, so throughput is lower; the balancer's CPU per connection is comparable.
 */
import { connect } from 'node:net';
import { percentile } from '../measure/stats.ts';
import { REQUEST } from './messages.ts';

export interface ConnectLoad {
  readonly port: number;
  readonly requests: number;
  readonly concurrency: number;
  /** Bytes of the whole answer, after which the other side closes. */
  readonly responseBytes: number;
}

/** What one run of short connections gave, whichever client made them. */
export interface ConnectResult {
  readonly seconds: number;
  /** From connect to the end of the answer. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests that were not answered completely. */
  readonly errors: number;
}

const STALL_MS = 10_000;

/** Runs all requests and resolves when the last connection is closed. */
export function runConnections(load: ConnectLoad): Promise<ConnectResult> {
  return measureConnections(load, () => () => fetchOnce(load.port));
}

/**
 * Times a connection per request, `concurrency` of them at a time.
 * @param newFetch is called for each of these; its result makes one connection after the other, and resolves with the
 * bytes of the answer
 */
export async function measureConnections(
  load: ConnectLoad,
  newFetch: () => () => Promise<number>,
): Promise<ConnectResult> {
  const latencies = new Float64Array(load.requests);
  let started = 0;
  let answered = 0;
  const startedAt = performance.now();
  const worker = async (): Promise<void> => {
    const fetch = newFetch();
    while (started < load.requests) {
      started++;
      const sentAt = performance.now();
      if ((await fetch()) !== load.responseBytes) continue;
      latencies[answered++] = performance.now() - sentAt;
    }
  };
  await Promise.all(Array.from({ length: load.concurrency }, worker));
  const seconds = (performance.now() - startedAt) / 1000;
  const sorted = latencies.subarray(0, answered).slice().sort();
  return {
    seconds,
    p50Ms: percentile(sorted, 50),
    p99Ms: percentile(sorted, 99),
    errors: load.requests - answered,
  };
}

/** Bytes received until the other side closed; -1 when the connection failed. */
function fetchOnce(port: number): Promise<number> {
  return new Promise(resolve => {
    let received = 0;
    let failed = false;
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.once('connect', () => socket.write(REQUEST));
    socket.on('data', chunk => {
      received += chunk.length;
    });
    socket.setTimeout(STALL_MS, () => socket.destroy(new Error('stalled')));
    socket.once('error', () => {
      failed = true;
    });
    socket.once('close', () => resolve(failed ? -1 : received));
  });
}
