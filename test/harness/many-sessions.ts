/**
 * Many short sessions, one after the other in some places at a time, with their backend, in a thread of their own: in
 * tap's main thread every socket is watched, which makes them several times slower.
 *
 * A session: a client connects, sends a byte, gets it back from the backend, and ends.
 */
import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Teardown } from './teardown.ts';

interface Order {
  readonly port: number;
  readonly count: number;
}

const ROLE = 'many sessions';
const AT_ONCE = 50;

export class ManySessions {
  readonly #worker: Worker;
  /** Of the backend, `host:port`; it echoes. */
  readonly backend: string;

  private constructor(worker: Worker, backend: string) {
    this.#worker = worker;
    this.backend = backend;
  }

  static async start(t: Teardown): Promise<ManySessions> {
    const worker = new Worker(new URL(import.meta.url), { workerData: ROLE, execArgv: [] });
    t.teardown(() => worker.terminate());
    const [backend] = (await once(worker, 'message')) as [string];
    return new ManySessions(worker, backend);
  }

  /** Runs so many at a balancer; resolves to what went wrong, one entry per session that was not served. */
  async run(port: number, count: number): Promise<readonly string[]> {
    const order: Order = { port, count };
    this.#worker.postMessage(order);
    const [failures] = (await once(this.#worker, 'message')) as [readonly string[]];
    return failures;
  }
}

async function serve(): Promise<void> {
  const backend = createServer({ noDelay: true }, socket => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  parentPort?.on('message', (order: Order) => {
    void runAll(order).then(failures => parentPort?.postMessage(failures));
  });
  parentPort?.postMessage(`127.0.0.1:${(backend.address() as AddressInfo).port}`);
}

async function runAll({ port, count }: Order): Promise<readonly string[]> {
  const failures: string[] = [];
  let left = count;
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const failure = await runOne(port);
      if (failure !== undefined) failures.push(failure);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, client));
  return failures;
}

function runOne(port: number): Promise<string | undefined> {
  return new Promise(resolve => {
    let failure: string | undefined = 'ended without an answer';
    const socket = connect(port, '127.0.0.1', () => socket.write('x'));
    socket.on('data', () => {
      failure = undefined;
      socket.end();
    });
    socket.on('error', error => (failure = error.message));
    socket.on('close', () => resolve(failure));
  });
}

if (!isMainThread && workerData === ROLE) await serve();
