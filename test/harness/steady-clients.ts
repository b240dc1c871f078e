/**
 * Clients that come and go all the time, with their backend, in a thread of their own.
 *
 * A session: a client connects, sends a byte, gets it back from the backend, ends, and sees the end. Anything else is a
 * failure, and its kind is kept.
 */
import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Address } from '../../src/support/address.ts';
import type { Teardown } from './teardown.ts';
import { pause } from './until.ts';

const ROLE = 'steady clients';
/** Clients at a time at each address, and how long each place is empty between two of them. */
const AT_ONCE = 6;
const GAP_MS = 10;
const PATIENCE_MS = 10_000;

export interface Served {
  readonly served: number;
  /** One entry for each session that was not served. */
  readonly failures: readonly string[];
}

export class SteadyClients {
  readonly #worker: Worker;
  /** Of the backend, `host:port`; it echoes. */
  readonly backend: string;

  private constructor(worker: Worker, backend: string) {
    this.#worker = worker;
    this.backend = backend;
  }

  static async start(t: Teardown): Promise<SteadyClients> {
    const worker = new Worker(new URL(import.meta.url), { workerData: ROLE, execArgv: [] });
    t.teardown(() => worker.terminate());
    const [backend] = (await once(worker, 'message')) as [string];
    return new SteadyClients(worker, backend);
  }

  /** Begins; resolves when the first session at each address has been served. */
  async come(addresses: readonly Address[]): Promise<void> {
    this.#worker.postMessage(addresses);
    await once(this.#worker, 'message');
  }

  /** No more clients; resolves when the last one is served. */
  async stop(): Promise<Served> {
    this.#worker.postMessage('stop');
    const [served] = (await once(this.#worker, 'message')) as [Served];
    return served;
  }
}

async function serve(): Promise<void> {
  const backend = createServer({ noDelay: true, allowHalfOpen: true }, socket => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  let isOver = false;
  let served = 0;
  const failures: string[] = [];
  const place = async (address: Address, first: () => void): Promise<void> => {
    while (!isOver) {
      const outcome = await session(address);
      if (outcome === 'served') served += 1;
      else failures.push(outcome);
      first();
      await pause(GAP_MS);
    }
  };
  parentPort?.on('message', (order: readonly Address[] | 'stop') => {
    if (order === 'stop') {
      isOver = true;
      return;
    }
    const places = order.flatMap(address => Array<Address>(AT_ONCE).fill(address));
    let left = places.length;
    const first = (): void => {
      left -= 1;
      if (left === 0) parentPort?.postMessage('all have come');
    };
    void Promise.all(places.map(address => place(address, first))).then(() =>
      parentPort?.postMessage({ served, failures } satisfies Served),
    );
  });
  parentPort?.postMessage(`127.0.0.1:${(backend.address() as AddressInfo).port}`);
}

function session(address: Address): Promise<string> {
  return new Promise(resolve => {
    const where =
      address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
    const socket = connect({ ...where, allowHalfOpen: true, noDelay: true });
    let got = '';
    let phase = 'connecting';
    const end = (outcome: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => end(`no end, ${phase}`), PATIENCE_MS);
    socket.once('connect', () => {
      phase = 'waiting';
      socket.write('x');
    });
    socket.on('data', (bytes: Buffer) => {
      got += bytes.toString();
      phase = 'ending';
      socket.end();
    });
    socket.once('end', () => end(got === 'x' ? 'served' : `cut short, ${phase}`));
    socket.once('error', (error: NodeJS.ErrnoException) => end(`${error.code ?? error.message}, ${phase}`));
  });
}

if (!isMainThread && workerData === ROLE) await serve();
