/**
 * The admin API's server: where it listens, and what it loads when the first client comes.
 *
 * Place: the command line makes one. Accepting needs `node:net` only; HTTP, routes and schemas are loaded with the first
 * client, so that a start does not wait for them.
 * Invariants:
 * - At most `mostClients` clients at a time for each address, and the log says once in a while that they are there.
 *   A further one takes the place of the oldest that has sent no whole request; where all have, it is turned away.
 *   Clients of a TCP address cannot keep out those of the unix socket.
 * - `close` removes only a socket file that is its own.
 * Handing over: a successor inherits the sockets, and the files are its own once this server has let go (`handOver`,
 * `own`).
 */
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { chmodSync, closeSync } from 'node:fs';
import type { Log } from '../observe/log.ts';
import type { Libc } from '../linux/libc.ts';
import { bindListeningSockets } from '../linux/listening-sockets.ts';
import { setSocketOptions } from '../linux/socket-options.ts';
import { listenFailure } from '../linux/listen-failure.ts';
import { removeIfSame, removeStale, socketFileAt, type SocketFile } from '../linux/socket-file.ts';
import { formatAddress, type Address, type TcpAddress } from '../support/address.ts';
import { descriptorOf } from '../support/descriptor.ts';
import type { HandedSockets } from '../support/socket.ts';
import type { SetTimer } from '../support/timer.ts';
import type { Rules } from './caller.ts';
import { EventRing } from './events/event-ring.ts';
import type { HttpConnections } from './http-connections.ts';
import type { AdminPort } from './port.ts';

/** At most one line about clients turned away in this time. */
const QUIET_MS = 60_000;
/** A peer that has vanished acknowledges nothing: its connection ends after half a minute. */
const VANISHED = { keepalive: { idleMs: 15_000, intervalMs: 5_000, count: 3 }, userTimeoutMs: 30_000 };
/** Only for the user that runs lb4. */
const SOCKET_MODE = 0o600;

export interface AdminServerDeps {
  readonly port: AdminPort;
  readonly rules: Rules;
  /** Sockets of the predecessor. */
  readonly inherited?: readonly HandedSockets[] | undefined;
  /** At each address at a time. */
  readonly mostClients: number;
  readonly log: Log;
  readonly setTimer: SetTimer;
  /** Loads the C library; undefined where that is impossible. */
  readonly libc: () => Libc | undefined;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Milliseconds since the process began. */
  readonly uptimeMs: () => number;
}

/** One address at which it listens. */
interface Opened {
  readonly server: Server;
  /** Absent where it is no unix socket, or the predecessor's still. */
  file: SocketFile | undefined;
}

export class AdminServer {
  readonly #deps: AdminServerDeps;
  /** By the addresses that were asked for, as text. */
  readonly #open = new Map<string, Opened>();
  readonly #inherited: Map<string, HandedSockets>;
  readonly #taken = new Map<string, HandedSockets>();
  readonly #waiting = new Set<Socket>();
  #ring: EventRing | undefined;
  #http: Promise<HttpConnections> | undefined;
  #loaded: HttpConnections | undefined;
  #isQuiet = false;
  #isClosed = false;

  constructor(deps: AdminServerDeps) {
    this.#deps = deps;
    this.#inherited = new Map(deps.inherited?.map(each => [each.key, each]));
  }

  /** Whether the predecessor listens there. */
  inherits(address: Address): boolean {
    const file = this.#inherited.get(formatAddress(address))?.file;
    if (file === undefined) return this.#inherited.has(formatAddress(address));
    const now = socketFileAt(file.path);
    return now?.dev === file.dev && now.ino === file.ino;
  }

  /** From now on events are kept for clients that follow them later. Idempotent; `listen` does it, too. */
  record(): EventRing {
    const { port, setTimer, wallClock, uptimeMs } = this.#deps;
    return (this.#ring ??= new EventRing({ source: port.balancer, setTimer, wallClock, uptimeMs }));
  }

  /** Resolves with the address, with the port that was chosen; rejects with LB4_LISTEN_FAILED. */
  async listen(address: Address): Promise<Address> {
    this.record();
    const key = formatAddress(address);
    const handed = this.inherits(address) ? this.#inherited.get(key) : undefined;
    const opened = handed ? await this.#takeOver(handed) : await this.#bind(address);
    this.#open.set(key, opened);
    if (this.#isClosed) this.close();
    return address.kind === 'unix' ? address : { ...address, port: portOf(opened.server, address) };
  }

  /** For a successor. */
  toHandOver(): readonly HandedSockets[] {
    return Array.from(this.#open, ([key, { server, file }]) => {
      const fd = descriptorOf(server);
      return { key, name: 'admin', fds: fd === undefined ? [] : [fd], isLent: false, file };
    }).filter(({ fds }) => fds.length > 0);
  }

  /** The successor answers from now on, at these addresses; requests that are being answered end in their own time. */
  handOver(taken: readonly string[]): void {
    for (const [key, { server, file }] of this.#open) {
      if (file !== undefined && !taken.includes(key)) removeIfSame(file);
      server.close();
    }
    this.#open.clear();
    this.#loaded?.endSoon();
  }

  /** The addresses that were taken over from the predecessor; the others are left to it alone. */
  takenOver(): readonly string[] {
    for (const [key, { fds }] of this.#inherited) if (!this.#taken.has(key)) fds.forEach(closeSync);
    this.#inherited.clear();
    return [...this.#taken.keys()];
  }

  /** The predecessor has let go of its files. */
  own(): void {
    for (const [key, { file }] of this.#taken) {
      const opened = this.#open.get(key);
      if (opened !== undefined) opened.file = file;
    }
    this.#taken.clear();
  }

  /** Removes the files of unix sockets: another process may have the path. */
  releaseSockets(): void {
    // Before the sockets are closed: their inodes belong to no other file until then.
    for (const opened of this.#open.values()) {
      if (opened.file !== undefined) removeIfSame(opened.file);
      opened.file = undefined;
    }
  }

  /** Ends every connection. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.releaseSockets();
    for (const { server } of this.#open.values()) server.close();
    for (const socket of this.#waiting) socket.destroy();
    this.#loaded?.close();
    this.#ring?.end();
  }

  async #takeOver(handed: HandedSockets): Promise<Opened> {
    const server = this.#createServer();
    await listening(server, { fd: handed.fds[0] ?? -1 });
    this.#taken.set(handed.key, handed);
    return { server, file: undefined };
  }

  async #bind(address: Address): Promise<Opened> {
    if (address.kind === 'unix') return this.#bindUnix(address.path);
    const { host, port } = address;
    const server = this.#createServer();
    try {
      await listening(server, { port, ...(host === '' ? {} : { host }) });
    } catch (error) {
      throw listenFailure(address, error);
    }
    this.#noticeVanished(server);
    return { server, file: undefined };
  }

  async #bindUnix(path: string): Promise<Opened> {
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
    return { server, file };
  }

  /** Accepted sockets inherit the options. */
  #noticeVanished(server: Server): void {
    const [libc, fd] = [this.#deps.libc(), descriptorOf(server)];
    if (libc !== undefined && fd !== undefined) setSocketOptions(libc, fd, VANISHED);
  }

  #createServer(): Server {
    const clients = new Set<Socket>();
    const server = createServer({ noDelay: true }, socket => {
      if (clients.size >= this.#deps.mostClients && !this.#makeRoom(clients)) {
        socket.destroy();
        return;
      }
      clients.add(socket);
      socket.once('close', () => clients.delete(socket));
      this.#accept(socket);
    });
    // An accept that fails because descriptors have run out ends that client only.
    server.on('error', () => undefined);
    return server;
  }

  /** So that clients which send nothing do not keep out the others, such as probes of `/healthz`. */
  #makeRoom(clients: Set<Socket>): boolean {
    this.#tell();
    for (const socket of clients) {
      if (this.#loaded?.isWithoutRequest(socket) === false) continue;
      clients.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
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
    this.#loaded = new HttpConnections(createDispatchDeps(this.#deps, this.record()), this.#deps.setTimer);
    return this.#loaded;
  }

  #tell(): void {
    if (this.#isQuiet) return;
    this.#isQuiet = true;
    this.#deps.setTimer(() => (this.#isQuiet = false), QUIET_MS);
    const { mostClients, log } = this.#deps;
    const message = `the admin API turns clients away: ${mostClients} are connected to one address`;
    log.write('warn', 'adminFull', message, { connections: mostClients });
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
