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
  /** It listens no more, as if its process had died. */
  readonly isBroken: boolean;
  /** Breaks it, or repairs it; rejects when its port has been taken meanwhile. */
  toggle(): Promise<void>;
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
  const port = await listen(server, 0);
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return {
    name,
    address: `127.0.0.1:${port}`,
    served: () => served,
    get isBroken() {
      return !server.listening;
    },
    toggle: async () => {
      if (server.listening) close();
      else await listen(server, port);
    },
    close,
  };
}

function listen(server: Server, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(wanted, '127.0.0.1', () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
