/**
 * One backend that misbehaves as it is told, and may change its mind at any time on the same port.
 *
 * Place: knows nothing of lb4 or of tap; faulty-backends.ts starts it in the test's process or in one of its own.
 * Well-behaved, it is an HTTP/1.1 server that answers every request with its name and closes, so that health checks
 * of every kind pass and a client sees who served it.
 * Invariants: the address belongs to it alone as long as the process runs, also while nobody listens (see
 * `ownHost`); switching changes what new connections meet, and `refuse` and `blackHole` also hit open ones.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { TcpAddress } from '../../src/support/address.ts';
import { reset } from './reset.ts';
import { descriptorOf, lose } from './segments.ts';

export type Behaviour =
  /** Answers every request with its name. */
  | 'serve'
  /** Nobody listens; open connections are reset. */
  | 'refuse'
  /** The network loses whatever is sent to it: connects time out, open connections fall silent. Linux with koffi. */
  | 'blackHole'
  /** A FIN as the first thing after the accept; what comes is read and thrown away. */
  | 'acceptAndClose'
  | 'acceptAndReset'
  | 'acceptNeverRead'
  /** Says its name so many milliseconds after the accept, asked or not; the connection stays open. */
  | { readonly greetLate: number }
  /** Resets once it has received so many bytes. */
  | { readonly resetAfter: number }
  /** Answers one byte every so many milliseconds. */
  | { readonly drip: number }
  /** Serves and refuses in turn, so many milliseconds each, beginning with `serve`. */
  | { readonly flap: number }
  /** Serves so many connections at a time, each for `takesMs`; further ones wait unread. */
  | { readonly limited: number; readonly takesMs: number };

export interface Counters {
  /** Connections accepted. */
  readonly connects: number;
  /** Requests answered, without those for a path that begins with `PROBE_PATH`. */
  readonly served: number;
  /** Requests for `PROBE_PATH` answered. */
  readonly probes: number;
  /** Connections open now, and the most there ever were. */
  readonly open: number;
  readonly mostOpen: number;
}

/** What health checks ask for, so that they are counted by themselves. */
export const PROBE_PATH = '/health';

const END_OF_REQUEST = '\r\n\r\n';
const BACKLOG = 4_096;

/**
 * A loopback address that no other process uses. Every connection on 127.0.0.1 may be given the port of a backend
 * that does not listen at the moment, or even connect to itself; from 127.0.0.1 to this address it cannot.
 */
export function ownHost(index: number): string {
  if (process.platform !== 'linux') return '127.0.0.1';
  return `127.${1 + ((process.pid >> 8) & 0x7f)}.${process.pid & 0xff}.${1 + (index % 254)}`;
}

export class FaultyBackend {
  readonly name: string;
  #address: TcpAddress;
  #behaviour: Behaviour = 'refuse';
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: Socket[] = [];
  #serving = 0;
  #flapping: NodeJS.Timeout | undefined;
  #restore: (() => void)[] = [];
  #connects = 0;
  #served = 0;
  #probes = 0;
  #mostOpen = 0;

  private constructor(name: string, host: string) {
    this.name = name;
    this.#address = { kind: 'tcp', host, port: 0 };
  }

  static async start(name: string, host: string, behaviour: Behaviour): Promise<FaultyBackend> {
    const backend = new FaultyBackend(name, host);
    // The port is known, and the backend's own, even if it begins by refusing.
    await backend.become('serve');
    await backend.become(behaviour);
    return backend;
  }

  get address(): TcpAddress {
    return this.#address;
  }

  get counters(): Counters {
    return {
      connects: this.#connects,
      served: this.#served,
      probes: this.#probes,
      open: this.#sockets.size,
      mostOpen: this.#mostOpen,
    };
  }

  /** Resolves when it behaves so. */
  async become(behaviour: Behaviour): Promise<void> {
    clearInterval(this.#flapping);
    for (const restore of this.#restore.splice(0)) restore();
    this.#behaviour = behaviour;
    if (behaviour === 'refuse') {
      await this.#refuse();
      return;
    }
    await this.#listen();
    if (behaviour === 'blackHole') this.#disappear();
    if (typeof behaviour === 'object' && 'flap' in behaviour) this.#flap(behaviour.flap);
  }

  async close(): Promise<void> {
    await this.become('refuse');
  }

  #flap(everyMs: number): void {
    let up = true;
    this.#flapping = setInterval(() => {
      up = !up;
      void (up ? this.#listen() : this.#refuse());
    }, everyMs).unref();
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, socket =>
      this.#accept(socket),
    );
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: this.#address.host, port: this.#address.port, backlog: BACKLOG }, resolve);
    });
    const bound = server.address();
    if (bound !== null && typeof bound === 'object') this.#address = { ...this.#address, port: bound.port };
  }

  async #refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) reset(socket);
    if (server === undefined) return;
    const closed = new Promise(resolve => server.close(resolve));
    // What a client does not take can be neither finished nor reset.
    for (const socket of this.#sockets) if (socket.writableLength > 0) socket.destroy();
    await closed;
  }

  #disappear(): void {
    const lost = [...this.#sockets].filter(socket => !socket.destroyed);
    for (const each of [this.#server, ...lost]) {
      if (each === undefined) continue;
      const restore = lose(descriptorOf(each), 'everything');
      this.#restore.push(() => {
        // A socket that has ended meanwhile has no descriptor any more, or somebody else has its number.
        if (each === this.#server || this.#sockets.has(each as Socket)) restore();
      });
    }
  }

  #accept(socket: Socket): void {
    this.#connects++;
    this.#sockets.add(socket);
    this.#mostOpen = Math.max(this.#mostOpen, this.#sockets.size);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    const behaviour = this.#behaviour;
    if (typeof behaviour === 'string') this.#meet(socket, behaviour);
    else if ('greetLate' in behaviour) this.#greet(socket, behaviour.greetLate);
    else if ('resetAfter' in behaviour) resetAfter(socket, behaviour.resetAfter);
    else if ('drip' in behaviour) this.#answer(socket, answer => drip(socket, answer, behaviour.drip));
    else if ('flap' in behaviour) this.#answer(socket, answer => socket.end(answer));
    else {
      this.#waiting.push(socket);
      this.#serveWaiting(behaviour);
    }
  }

  #meet(socket: Socket, behaviour: Extract<Behaviour, string>): void {
    switch (behaviour) {
      case 'serve':
        this.#answer(socket, answer => socket.end(answer));
        return;
      case 'acceptAndClose':
        socket.end();
        socket.resume();
        return;
      case 'acceptNeverRead':
        return;
      case 'acceptAndReset':
      // It was in the accept queue when the backend changed.
      case 'refuse':
      case 'blackHole':
        reset(socket);
    }
  }

  #greet(socket: Socket, afterMs: number): void {
    socket.resume();
    socket.once('end', () => socket.end());
    setTimeout(() => socket.write(`${this.name}\n`), afterMs).unref();
  }

  /** Reads a request and has it answered; a client that ends without one gets a FIN. */
  #answer(socket: Socket, send: (answer: string) => void): void {
    let request = '';
    socket.on('data', (bytes: Buffer) => {
      request += bytes.toString('latin1');
      if (!request.includes(END_OF_REQUEST)) return;
      if (request.split(' ', 2)[1]?.startsWith(PROBE_PATH) === true) this.#probes++;
      else this.#served++;
      socket.removeAllListeners('data').resume();
      const body = `${this.name}\n`;
      send(
        `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\nconnection: close${END_OF_REQUEST}${body}`,
      );
    });
    socket.once('end', () => {
      if (!request.includes(END_OF_REQUEST)) socket.end();
    });
    socket.resume();
  }

  #serveWaiting(limit: { readonly limited: number; readonly takesMs: number }): void {
    while (this.#serving < limit.limited) {
      const socket = this.#waiting.shift();
      if (socket === undefined) return;
      if (socket.destroyed) continue;
      this.#serving++;
      socket.once('close', () => {
        this.#serving--;
        this.#serveWaiting(limit);
      });
      this.#answer(socket, answer => setTimeout(() => socket.end(answer), limit.takesMs).unref());
    }
  }
}

function resetAfter(socket: Socket, bytes: number): void {
  let received = 0;
  socket.on('data', chunk => {
    received += chunk.length;
    if (received >= bytes) reset(socket);
  });
  socket.resume();
}

function drip(socket: Socket, answer: string, everyMs: number): void {
  let sent = 0;
  const timer = setInterval(() => {
    socket.write(answer.charAt(sent++));
    if (sent < answer.length) return;
    clearInterval(timer);
    socket.end();
  }, everyMs).unref();
  socket.once('close', () => clearInterval(timer));
}
