/**
 * Clients that keep a connection each and have one request on it at any time, for a fixed time: small keep-alive
 * requests and bulk transfers.
 *
 * Place: runs in the benchmark's own process, on the load core. Warm-up and measurement are one uninterrupted flow;
 * counters and the balancer's CPU are read at the two edges of the window, so opening connections is outside it.
 * Connections are opened some at a time, because thousands at once overflow a listener's queue and come a second
 * later; the first request is sent when all are open, because a busy client opens the rest very slowly.
 * Invariants: every byte is counted; an answer that arrives whole is compared byte by byte; one that comes in pieces
 * is checked for its length, and a byte too many is an error.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CpuUse } from '../measure/cpu.ts';

export interface ExchangeLoad {
  readonly port: number;
  /** Over TLS, without a look at the certificate. */
  readonly isTls?: boolean;
  readonly connections: number;
  readonly request: Buffer;
  /** The exact answer to every request. */
  readonly response: Buffer;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Called when all connections are open and have sent their first request. */
  readonly onSent?: () => void;
  /** Called at the start of the window; the function it returns is called at its end. */
  readonly startCpuMeter: () => () => CpuUse;
  /** Called with the figures at the end of the window; the load goes on until it resolves. */
  readonly goOn?: (result: ExchangeResult) => Promise<void>;
}

export interface ExchangeResult {
  readonly exchanges: number;
  /** Received by the clients within the window. */
  readonly bytes: number;
  readonly seconds: number;
  /** Request sent to last byte of the answer, in milliseconds, ascending. */
  readonly latenciesMs: Float64Array;
  readonly cpu: CpuUse;
  /** Connections that failed, ended early or answered wrongly. */
  readonly errors: number;
}

/** Larger than what the kernel usually has ready, so that the client costs little next to the balancer. */
const READ_BUFFER_BYTES = 256 * 1024;
/** Room for this many answers per millisecond of the window; beyond it they count, but their latency is not kept. */
const LATENCIES_PER_MS = 200;
/** Fewer than any balancer's listen backlog. */
const OPENED_AT_ONCE = 100;

/** Runs the load to its end and closes every connection. */
export async function runExchanges(load: ExchangeLoad): Promise<ExchangeResult> {
  // A read fills the buffer and its callback runs at once, on one thread: all sockets can share it.
  const buffer = Buffer.allocUnsafe(READ_BUFFER_BYTES);
  const latencies = new Float64Array(load.measureMs * LATENCIES_PER_MS);
  let exchanges = 0;
  let bytes = 0;
  let errors = 0;
  let ending = false;

  const sockets: Socket[] = [];
  const starts: (() => void)[] = [];
  const open = async (): Promise<void> => {
    let received = 0;
    let sentAt = 0;
    const fail = (): void => {
      if (!ending) errors++;
      socket.destroy();
    };
    const send = (): void => {
      received = 0;
      if (socket.destroyed) return;
      sentAt = performance.now();
      socket.write(load.request);
    };
    const onRead = (length: number): boolean => {
      bytes += length;
      received += length;
      if (received < load.response.length) return true;
      const whole = length === load.response.length;
      const wrong = whole && load.response.compare(buffer, 0, length) !== 0;
      if (received > load.response.length || wrong) {
        fail();
        return false;
      }
      latencies[exchanges++] = performance.now() - sentAt;
      send();
      return true;
    };
    const options = {
      ...{ host: '127.0.0.1', port: load.port, noDelay: true },
      onread: { buffer, callback: onRead },
    };
    const isTls = load.isTls === true;
    const socket = isTls ? connectTls({ ...options, rejectUnauthorized: false }) : connect(options);
    socket.once('error', fail);
    socket.once('end', fail);
    sockets.push(socket);
    starts.push(send);
    await new Promise<void>(resolve =>
      socket.once(isTls ? 'secureConnect' : 'connect', resolve).once('close', () => resolve()),
    );
  };
  const opener = async (): Promise<void> => {
    while (sockets.length < load.connections) await open();
  };
  await Promise.all(Array.from({ length: Math.min(OPENED_AT_ONCE, load.connections) }, opener));
  for (const start of starts) start();
  load.onSent?.();

  await sleep(load.warmUpMs);
  exchanges = 0;
  bytes = 0;
  const startedAt = performance.now();
  const stopCpuMeter = load.startCpuMeter();
  await sleep(load.measureMs);
  const cpu = stopCpuMeter();
  const seconds = (performance.now() - startedAt) / 1000;
  const latenciesMs = latencies.subarray(0, Math.min(exchanges, latencies.length)).slice().sort();
  const result = { exchanges, bytes, seconds, latenciesMs, cpu, errors };
  await load.goOn?.(result);
  ending = true;
  for (const socket of sockets) socket.destroy();
  return result;
}
