/**
 * Clients that ask at a fixed rate, whatever the answers do: the load for latency figures.
 *
 * Place: runs in the benchmark's own process, on the load core; open-loop.ts decides, this file has the sockets.
 * Connections are opened and used before the first planned request. The requests of the warm-up are sent like the
 * others and only left out of the figures.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CpuUse } from '../measure/cpu.ts';
import { OpenLoop } from './open-loop.ts';
import { nowNs, startPacer } from './pacer.ts';
import { createSchedule } from './schedule.ts';

export interface PacedLoad {
  readonly port: number;
  readonly connections: number;
  readonly ratePerSecond: number;
  readonly request: Buffer;
  /** The exact answer to every request. */
  readonly response: Buffer;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** A request that is not answered this long after the end of the window is lost. */
  readonly answerWithinMs: number;
  readonly startCpuMeter: () => () => CpuUse;
}

export interface PacedResult {
  /** From the planned moment to the end of the answer, in milliseconds, ascending. */
  readonly latenciesMs: Float64Array;
  /** How late this client came to its ticks, ascending: the noise of the load core, which is in every latency. */
  readonly clientLateMs: Float64Array;
  readonly seconds: number;
  readonly cpu: CpuUse;
  /** Connections that failed, requests without an answer, wrong answers. */
  readonly errors: number;
}

const TICK_MS = 0.25;
const CONNECT_WITHIN_MS = 5_000;
/** Time for the pacer to fall into step before the first planned request. */
const LEAD_MS = 20;
const READ_BUFFER_BYTES = 64 * 1024;

interface Lane {
  readonly socket: Socket;
  received: number;
}

/** Runs the load to its end and closes every connection; rejects when a connection cannot be opened. */
export async function runPaced(load: PacedLoad): Promise<PacedResult> {
  const { request, response } = load;
  // A read fills the buffer and its callback runs at once, on one thread: all sockets can share it.
  const buffer = Buffer.allocUnsafe(READ_BUFFER_BYTES);
  const schedule = createSchedule({
    ratePerSecond: load.ratePerSecond,
    durationMs: load.warmUpMs + load.measureMs,
    tickMs: TICK_MS,
  });
  const latencies = new Float64Array(schedule.total);
  const late: number[] = [];
  let measured = 0;
  let errors = 0;
  let startNs = 0n;
  /** From the pacer's first tick to the first planned request. */
  let leadMs = 0;
  const elapsedMs = (): number => Number(nowNs() - startNs) / 1e6;
  const loop = new OpenLoop<Lane>(schedule, {
    send: ({ socket }) => socket.write(request),
    answered(index, latencyMs) {
      if (schedule.plannedMs(index) >= load.warmUpMs) latencies[measured++] = latencyMs;
    },
  });

  const fail = (lane: Lane): void => {
    errors++;
    loop.lost(lane);
    lane.socket.removeAllListeners('end').destroy();
  };
  const onRead = (lane: Lane, length: number): boolean => {
    lane.received += length;
    if (lane.received < response.length) return true;
    const wrong = length === response.length && response.compare(buffer, 0, length) !== 0;
    const excess = lane.received > response.length;
    lane.received = 0;
    if (excess || wrong || !loop.completed(lane, elapsedMs())) {
      fail(lane);
      return false;
    }
    return true;
  };
  const open = (): Promise<Lane> =>
    new Promise((resolve, reject) => {
      const socket = connect({
        host: '127.0.0.1',
        port: load.port,
        noDelay: true,
        onread: { buffer, callback: length => onRead(lane, length) },
      });
      const lane: Lane = { socket, received: 0 };
      const tooLate = (): void => reject(new Error('a connection could not be opened in time'));
      const timer = setTimeout(tooLate, CONNECT_WITHIN_MS);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.once('error', () => fail(lane)).once('end', () => fail(lane));
        loop.join(lane);
        resolve(lane);
      });
      socket.once('error', reject);
    });

  const lanes = await Promise.all(Array.from({ length: load.connections }, open));
  // Ticks come before the plan begins, a whole number of them; they find nothing due.
  const pacer = await startPacer(TICK_MS, tickMs => {
    if (startNs === 0n) return;
    const now = elapsedMs();
    const plannedMs = tickMs - leadMs;
    if (plannedMs >= load.warmUpMs) late.push(now - plannedMs);
    loop.advance(now);
  });
  leadMs = Math.ceil((Number(nowNs() - pacer.startNs) / 1e6 + LEAD_MS) / TICK_MS) * TICK_MS;
  startNs = pacer.startNs + BigInt(leadMs * 1e6);
  try {
    await sleep(load.warmUpMs - elapsedMs());
    const windowMs = elapsedMs();
    const stopCpuMeter = load.startCpuMeter();
    await sleep(load.measureMs);
    const cpu = stopCpuMeter();
    const seconds = (elapsedMs() - windowMs) / 1000;
    const deadline = elapsedMs() + load.answerWithinMs;
    while (loop.open > 0 && elapsedMs() < deadline) await sleep(5);
    errors += loop.open;
    const latenciesMs = latencies.subarray(0, measured).slice().sort();
    return { latenciesMs, clientLateMs: Float64Array.from(late).sort(), seconds, cpu, errors };
  } finally {
    await pacer.stop();
    for (const { socket } of lanes) socket.removeAllListeners('end').destroy();
  }
}
