/**
 * The demo's three HTTP backends: each answers with its own name, so that a reader sees where a request went.
 *
 * Place: started by `lb4 demo` on ports that the kernel chooses, in lb4's own process.
 */
import { createServer, type Server } from 'node:http';

export interface DemoBackend {
  readonly name: string;
  /** `127.0.0.1:port`, as a backend's address. */
  readonly address: string;
  /** Requests answered so far. */
  served(): number;
  close(): void;
}

/** A request to /slow takes this long, to make live sessions visible. */
const SLOW_MS = 5_000;

export async function startDemoBackend(name: string): Promise<DemoBackend> {
  let served = 0;
  const server = createServer((request, response) => {
    served += 1;
    const answer = (): void => {
      response.setHeader('Content-Type', 'text/plain; charset=utf-8');
      response.end(`Hello from ${name}\n`);
    };
    if (request.url === '/slow') setTimeout(answer, SLOW_MS);
    else answer();
  });
  // Probes and port scanners come and go without a request.
  server.on('clientError', (_error, socket) => socket.destroy());
  const port = await listen(server);
  return {
    name,
    address: `127.0.0.1:${port}`,
    served: () => served,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
