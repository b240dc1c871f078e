/** Real HTTP backends that count what they serve. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HttpBackend {
  readonly address: string;
  readonly port: number;
  readonly server: Server;
  /** Requests answered. */
  requests: number;
  close(): Promise<void>;
}

/** Answers every request with the backend's name, on a port of its own or the one given. */
export async function startHttpBackend(
  t: { teardown(callback: () => unknown): void },
  name: string,
  options: { port?: number; handler?: RequestListener } = {},
): Promise<HttpBackend> {
  const server = createServer((request, response) => {
    backend.requests += 1;
    if (options.handler === undefined) response.end(`${name}\n`);
    else options.handler(request, response);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', 4_096, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise(resolve => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const backend: HttpBackend = { address: `127.0.0.1:${port}`, port, server, requests: 0, close };
  t.teardown(close);
  return backend;
}
