/**
 * Real HTTP backends that count what they serve, in a thread of their own: in tap's main thread every promise
 * and socket is watched, which costs more than serving it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

export interface HttpBackends {
  /** `127.0.0.1:port` of each. */
  readonly addresses: readonly string[];
  counts(): Promise<HttpCounts>;
}

/** What each backend has had so far. */
export interface HttpCounts {
  readonly requests: readonly number[];
  /** With those on which nothing was asked. */
  readonly connections: readonly number[];
}

interface Started {
  readonly ports: readonly number[];
}

/** Starts one backend per name; each answers every request with its name. They end with the test. */
export async function startHttpBackends(
  t: { teardown(callback: () => unknown): void },
  names: readonly string[],
  /** Where they listen; `addresses` names them by 127.0.0.1 all the same. */
  host = '127.0.0.1',
): Promise<HttpBackends> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { names, host }, execArgv: [] });
  t.teardown(() => worker.terminate());
  const answer = <T>(): Promise<T> =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  const { ports } = await answer<Started>();
  return {
    addresses: ports.map(port => `127.0.0.1:${port}`),
    counts: () => {
      const counts = answer<HttpCounts>();
      worker.postMessage('counts?');
      return counts;
    },
  };
}

async function serve(names: readonly string[], host: string): Promise<void> {
  const requests = names.map(() => 0);
  const connections = names.map(() => 0);
  const ports = await Promise.all(
    names.map(
      (name, index) =>
        new Promise<number>(resolve => {
          const server = createServer((_request, response) => {
            requests[index] = (requests[index] ?? 0) + 1;
            response.end(`${name}\n`);
          });
          server.on('connection', () => {
            connections[index] = (connections[index] ?? 0) + 1;
          });
          server.keepAliveTimeout = 60_000;
          server.listen(0, host, 4_096, () => resolve((server.address() as AddressInfo).port));
        }),
    ),
  );
  parentPort?.on('message', () => parentPort?.postMessage({ requests, connections } satisfies HttpCounts));
  parentPort?.postMessage({ ports } satisfies Started);
}

if (!isMainThread) {
  // What startHttpBackends has sent.
  const { names, host } = workerData as { names: readonly string[]; host: string };
  await serve(names, host);
}
