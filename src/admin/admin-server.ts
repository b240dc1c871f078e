/**
 * The admin API's server: where it listens, and what it loads when the first client comes.
 *
 * Place: the command line makes one. Accepting needs `node:net` only; HTTP, routes and schemas are loaded with the first
 * client, so that a start does not wait for them.
 * Invariants:
 * - At most `MOST_CONNECTIONS` clients at a time for each address: the rest are turned away, and the log says so once in
 *   a while. Clients of a TCP address cannot keep out those of the unix socket.
 * - `close` removes only a socket file that is its own.
 */
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { chmodSync } from 'node:fs';
import type { Log } from '../observe/log.ts';
import type { Libc } from '../linux/libc.ts';
import { bindListeningSockets } from '../linux/listening-sockets.ts';
import { listenFailure } from '../linux/listen-failure.ts';
import { removeIfSame, removeStale, socketFileAt, type SocketFile } from '../linux/socket-file.ts';
import type { Address, TcpAddress } from '../support/address.ts';
import type { SetTimer } from '../support/timer.ts';
import type { Rules } from './caller.ts';
import type { HttpConnections } from './http-connections.ts';
import type { AdminPort } from './port.ts';

const MOST_CONNECTIONS = 128;
/** At most one line about clients turned away in this time. */
const QUIET_MS = 60_000;
/** Only for the user that runs lb4. */
const SOCKET_MODE = 0o600;

export interface AdminServerDeps {
  readonly port: AdminPort;
  readonly rules: Rules;
  readonly log: Log;
  readonly setTimer: SetTimer;
  /** Loads the C library; undefined where that is impossible. */
  readonly libc: () => Libc | undefined;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Milliseconds since the process began. */
  readonly uptimeMs: () => number;
}

export class AdminServer {
  readonly #deps: AdminServerDeps;
  readonly #servers = new Set<Server>();
  readonly #files = new Set<SocketFile>();
  readonly #waiting = new Set<Socket>();
  #http: Promise<HttpConnections> | undefined;
  #loaded: HttpConnections | undefined;
  #isQuiet = false;
  #isClosed = false;

  constructor(deps: AdminServerDeps) {
    this.#deps = deps;
  }

  /** Resolves with the address, with the port that was chosen; rejects with LB4_LISTEN_FAILED. */
  async listen(address: Address): Promise<Address> {
    if (address.kind === 'unix') {
      await this.#listenUnix(address.path);
      return address;
    }
    const { host, port } = address;
    const server = this.#createServer();
    try {
      await listening(server, { port, ...(host === '' ? {} : { host }) });
    } catch (error) {
      throw listenFailure(address, error);
    }
    this.#servers.add(server);
    return { ...address, port: portOf(server, address) };
  }

  /** Stops listening at unix sockets, and removes their files: another process may have the path. */
  releaseSockets(): void {
    // Before the sockets are closed: their inodes belong to no other file until then.
    for (const file of this.#files) removeIfSame(file);
    this.#files.clear();
  }

  /** Ends every connection. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.releaseSockets();
    for (const server of this.#servers) server.close();
    for (const socket of this.#waiting) socket.destroy();
    this.#loaded?.close();
  }

  async #listenUnix(path: string): Promise<void> {
    const libc = this.#deps.libc();
    const server = this.#createServer();
    const access = { mode: SOCKET_MODE };
    let file: SocketFile | undefined;
    if (libc === undefined) {
      try {
        await removeStale(path);
        await listening(server, { path });
        chmodSync(path, SOCKET_MODE);
      } catch (error) {
        server.close();
        throw listenFailure({ kind: 'unix', path }, error);
      }
      file = socketFileAt(path);
    } else {
      const bound = await bindListeningSockets(libc, { kind: 'unix', path, access }, 1);
      const [fd = -1] = bound.fds;
      await listening(server, { fd });
      file = bound.file;
    }
    if (file !== undefined) this.#files.add(file);
    this.#servers.add(server);
    if (this.#isClosed) this.close();
  }

  #createServer(): Server {
    const server = createServer({ noDelay: true }, socket => this.#accept(socket));
    server.maxConnections = MOST_CONNECTIONS;
    server.on('drop', () => this.#tell());
    // An accept that fails because descriptors have run out ends that client only.
    server.on('error', () => undefined);
    return server;
  }

  #accept(socket: Socket): void {
    // A client that resets its connection at once.
    socket.on('error', () => undefined);
    if (this.#loaded !== undefined) {
      this.#loaded.take(socket);
      return;
    }
    this.#waiting.add(socket);
    this.#http ??= this.#load();
    void this.#http.then(http => {
      if (this.#waiting.delete(socket) && !socket.destroyed) http.take(socket);
    });
  }

  async #load(): Promise<HttpConnections> {
    const [{ HttpConnections }, { createDispatchDeps }] = await Promise.all([
      import('./http-connections.ts'),
      import('./create-dispatch.ts'),
    ]);
    this.#loaded = new HttpConnections(createDispatchDeps(this.#deps), this.#deps.setTimer);
    return this.#loaded;
  }

  #tell(): void {
    if (this.#isQuiet) return;
    this.#isQuiet = true;
    this.#deps.setTimer(() => (this.#isQuiet = false), QUIET_MS);
    const message = `the admin API turns clients away: ${MOST_CONNECTIONS} are connected to one address`;
    this.#deps.log.write('warn', 'adminFull', message, { connections: MOST_CONNECTIONS });
  }
}

function listening(server: Server, where: ListenOptions | { readonly fd: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function portOf(server: Server, { port }: TcpAddress): number {
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : port;
}
