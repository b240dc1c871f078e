/**
 * Clients that come as fast as they can, in a thread of their own, beside the echoing backend that serves them: each
 * connects, sends a few bytes, waits for them to come back and leaves; then the next one comes.
 *
 * Place: for tests of what becomes of clients when a balancer ends; a file that is its own thread.
 */
import { connect, createServer } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { AddressInfo } from 'node:net';
import type { Teardown } from './teardown.ts';

/** How many clients ended how: 'served', or the error's name, or in words. */
export type Outcomes = Readonly<Record<string, number>>;

type Order = { readonly id: number; readonly port: number } | { readonly id: number };
type Report = { readonly backend: number } | { readonly id: number; readonly outcomes: Outcomes };

const ROLE = 'hasty clients';
const AT_ONCE = 16;
const ANSWER_WITHIN_MS = 10_000;

export class HastyClients {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (outcomes: Outcomes) => void>();
  #lastId = 0;
  /** The port of the backend. */
  readonly backend: number;

  private constructor(worker: Worker, backend: number) {
    this.#worker = worker;
    this.backend = backend;
    worker.on('message', (report: Report) => {
      if ('outcomes' in report) this.#waiting.get(report.id)?.(report.outcomes);
    });
  }

  static async start(t: Teardown): Promise<HastyClients> {
    const worker = new Worker(new URL(import.meta.url), { workerData: { role: ROLE }, execArgv: [] });
    t.teardown(() => worker.terminate());
    const backend = await new Promise<number>((resolve, reject) => {
      worker.once('message', (report: Report) => resolve('backend' in report ? report.backend : 0));
      worker.once('error', reject);
    });
    return new HastyClients(worker, backend);
  }

  /**
   * From now on clients come to this port of 127.0.0.1, until the result is called, which resolves to what became of
   * all of them.
   */
  come(port: number): () => Promise<Outcomes> {
    const id = ++this.#lastId;
    this.#post({ id, port });
    return () => {
      this.#post({ id });
      return new Promise(resolve => this.#waiting.set(id, resolve));
    };
  }

  #post(order: Order): void {
    this.#worker.postMessage(order);
  }
}

/** One client after the other, until it is told to stop. */
class Crowd {
  readonly #port: number;
  readonly #counts: Record<string, number> = {};
  readonly #done: Promise<unknown>;
  #goesOn = true;

  constructor(port: number) {
    this.#port = port;
    this.#done = Promise.all(Array.from({ length: AT_ONCE }, () => this.#comeAndGo()));
  }

  async end(): Promise<Outcomes> {
    this.#goesOn = false;
    await this.#done;
    return this.#counts;
  }

  async #comeAndGo(): Promise<void> {
    while (this.#goesOn) {
      const outcome = await one(this.#port);
      this.#counts[outcome] = (this.#counts[outcome] ?? 0) + 1;
      // Nobody listens any more: there is no need to ask as fast as before.
      if (outcome !== 'served') await new Promise(resolve => setTimeout(resolve, 5));
    }
  }
}

function one(port: number): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const over = (outcome: string): void => {
      socket.destroy();
      resolve(outcome);
    };
    socket.setTimeout(ANSWER_WITHIN_MS, () => over('no answer in time'));
    socket.once('connect', () => socket.write('hello'));
    socket.once('data', () => over('served'));
    socket.once('end', () => over('ended without an answer'));
    socket.once('error', (error: NodeJS.ErrnoException) => over(error.code ?? error.message));
  });
}

function runThread(): void {
  const crowds = new Map<number, Crowd>();
  parentPort?.on('message', (order: Order) => {
    const { id } = order;
    if ('port' in order) crowds.set(id, new Crowd(order.port));
    else
      void crowds
        .get(id)
        ?.end()
        .then(outcomes => parentPort?.postMessage({ id, outcomes }));
  });
  const server = createServer({ noDelay: true }, socket => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  // A TCP server's address is one.
  server.listen(0, '127.0.0.1', () =>
    parentPort?.postMessage({ backend: (server.address() as AddressInfo).port }),
  );
}

if (!isMainThread && (workerData as { role?: string } | null)?.role === ROLE) runThread();
