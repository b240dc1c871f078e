/**
 * Clients at a fixed rate that finish first, beside the echoing backend that serves them: so it is the balancer that
 * ends the connection to the backend, and whose source port rests (TIME_WAIT).
 *
 * Place: tests of source ports. This file is both sides: clients and backend run in a thread of their own, in the
 * network namespace in which `start` was called. Clients come to a unix socket, as theirs would use up ports, too.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Teardown } from './teardown.ts';

export interface Load {
  /** The unix socket that clients connect to. */
  readonly path: string;
  readonly clients: number;
  readonly ratePerSecond: number;
  /** No client begins after this time, on a machine that cannot keep the pace. */
  readonly withinMs: number;
}

/** How many clients got their answer, and how many did not. */
export interface Served {
  readonly served: number;
  readonly failed: number;
  readonly tookMs: number;
}

const ROLE = 'leaving clients';
const TICK_MS = 2;
/** Clients at a time, for a machine that cannot keep the pace. */
const AT_ONCE = 500;

export class LeavingClients {
  readonly #worker: Worker;
  readonly backendPort: number;

  private constructor(worker: Worker, backendPort: number) {
    this.#worker = worker;
    this.backendPort = backendPort;
  }

  /** @param host where the backend listens */
  static async start(t: Teardown, host: string): Promise<LeavingClients> {
    const worker = new Worker(new URL(import.meta.url), { workerData: { role: ROLE, host }, execArgv: [] });
    t.teardown(() => worker.terminate());
    const [port] = (await once(worker, 'message')) as [number];
    return new LeavingClients(worker, port);
  }

  /** Resolves when all have left. */
  async run(load: Load): Promise<Served> {
    this.#worker.postMessage(load);
    const [served] = (await once(this.#worker, 'message')) as [Served];
    return served;
  }
}

async function runLoad({ path, clients, ratePerSecond, withinMs }: Load): Promise<Served> {
  const startedAt = performance.now();
  let [begun, served, failed] = [0, 0, 0];
  const client = (): void => {
    begun++;
    let isServed = false;
    const socket = connect({ path });
    socket.once('connect', () => socket.write('x'));
    socket.once('data', () => {
      isServed = true;
      socket.end();
    });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (isServed) served++;
      else failed++;
    });
  };
  await new Promise<void>(resolve => {
    const timer = setInterval(() => {
      const sinceMs = performance.now() - startedAt;
      const isLate = sinceMs > withinMs;
      const due = isLate ? 0 : Math.min((sinceMs * ratePerSecond) / 1000, clients);
      while (begun < due && begun - served - failed < AT_ONCE) client();
      if (served + failed < (isLate ? begun : clients)) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
  return { served, failed, tookMs: performance.now() - startedAt };
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  const { role, host } = workerData as { role?: string; host: string };
  if (role === ROLE) {
    const backend = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      socket.on('data', bytes => socket.write(bytes));
      socket.on('end', () => socket.end());
      socket.on('error', () => undefined);
    });
    backend.listen(0, host, 4096, () => port.postMessage((backend.address() as AddressInfo).port));
    port.on('message', (load: Load) => void runLoad(load).then(served => port.postMessage(served)));
  }
}
