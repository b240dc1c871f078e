/**
 * Sessions in which both sides send as fast as they can, and what each has received.
 *
 * Place: load for tests of bandwidth. Runs in a thread of its own, so that what a test does meanwhile delays no byte.
 * This file is both sides.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { TcpAddress } from '../../src/support/address.ts';
import { pause, until } from './until.ts';

/** Bytes by session, in no order. */
export interface Flooded {
  readonly ms: number;
  readonly fromClient: readonly number[];
  readonly fromBackend: readonly number[];
}

export interface Floods {
  /** Where the backend listens. */
  readonly backend: TcpAddress;
  /** Opens sessions; resolves when each has received something on both sides, and `settleMs` later. */
  open(target: TcpAddress, sessions: number, settleMs: number): Promise<void>;
  /** What is received in the next `ms`. */
  measure(ms: number): Promise<Flooded>;
}

type Order =
  | { readonly what: 'backend' }
  | {
      readonly what: 'open';
      readonly target: TcpAddress;
      readonly sessions: number;
      readonly settleMs: number;
    }
  | { readonly what: 'measure'; readonly ms: number };

const ROLE = 'floods';
const CHUNK = Buffer.alloc(64 * 1024, 'lb4');
const FIRST_BYTES_WITHIN_MS = 20_000;

export async function startFloods(t: { teardown(callback: () => unknown): void }): Promise<Floods> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { role: ROLE }, execArgv: [] });
  t.teardown(() => worker.terminate());
  const ask = (order: Order): Promise<unknown> =>
    new Promise((resolve, reject) => {
      worker.once('message', (answer: { readonly value?: unknown; readonly error?: string }) => {
        if (answer.error === undefined) resolve(answer.value);
        else reject(new Error(answer.error));
      });
      worker.postMessage(order);
    });
  return {
    backend: (await ask({ what: 'backend' })) as TcpAddress,
    open: async (target, sessions, settleMs) => {
      await ask({ what: 'open', target, sessions, settleMs });
    },
    measure: async ms => (await ask({ what: 'measure', ms })) as Flooded,
  };
}

/** Sends without end; counts what comes. */
function flood(socket: Socket, received: Map<Socket, number>): void {
  received.set(socket, 0);
  socket.on('error', () => undefined);
  socket.on('data', chunk => received.set(socket, (received.get(socket) ?? 0) + chunk.length));
  const send = (): void => {
    while (socket.writable && socket.write(CHUNK));
  };
  socket.on('drain', send);
  send();
}

function play(): (order: Order) => Promise<unknown> {
  const fromClient = new Map<Socket, number>();
  const fromBackend = new Map<Socket, number>();
  const server = createServer(socket => flood(socket, fromClient));

  const taken = (): [number[], number[]] => [[...fromClient.values()], [...fromBackend.values()]];
  const since = (now: readonly number[], before: readonly number[]): number[] =>
    now.map((bytes, i) => bytes - (before[i] ?? 0));

  return async order => {
    if (order.what === 'backend') {
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
      const { address: host, port } = server.address() as AddressInfo;
      return { kind: 'tcp', host, port };
    }
    if (order.what === 'open') {
      const { host, port } = order.target;
      for (let i = 0; i < order.sessions; i++) {
        const socket = connect({ host, port });
        socket.once('connect', () => flood(socket, fromBackend));
      }
      const all = (received: Map<Socket, number>): boolean =>
        received.size === order.sessions && [...received.values()].every(bytes => bytes > 0);
      await until('all sessions move', () => all(fromClient) && all(fromBackend), FIRST_BYTES_WITHIN_MS);
      await pause(order.settleMs);
      return undefined;
    }
    const [startedMs, before] = [performance.now(), taken()];
    await pause(order.ms);
    const [ms, after] = [performance.now() - startedMs, taken()];
    return { ms, fromClient: since(after[0], before[0]), fromBackend: since(after[1], before[1]) };
  };
}

if (!isMainThread && (workerData as { role?: string } | null)?.role === ROLE) {
  const obey = play();
  parentPort?.on('message', (order: Order) => {
    obey(order).then(
      value => parentPort?.postMessage({ value }),
      (error: unknown) => parentPort?.postMessage({ error: String(error) }),
    );
  });
}
