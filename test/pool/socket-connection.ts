/**
 * net.Socket as a Poolable, for the tests with real sockets: never paused, half-open allowed, what arrives
 * while parked is kept.
 */
import { once } from 'node:events';
import net from 'node:net';
import type { Connect, Poolable } from '../../pool/connection-pool.ts';

export class SocketConnection implements Poolable {
  readonly socket: net.Socket;
  received = '';
  #isDead = false;
  #onChange: ((change: 'readable' | 'dead') => void) | undefined;

  constructor(socket: net.Socket) {
    this.socket = socket;
    // A stopped read notices neither FIN nor RST, and an unread greeting hides the FIN behind it.
    socket.on('data', chunk => {
      this.received += chunk.toString();
      this.#onChange?.('readable');
    });
    for (const event of ['end', 'error', 'close']) socket.on(event, () => this.#died());
  }

  watch(onChange: (change: 'readable' | 'dead') => void): void {
    this.#onChange = onChange;
    if (this.#isDead) onChange('dead');
  }

  unwatch(): void {
    this.#onChange = undefined;
  }

  reset(): void {
    this.#onChange = undefined;
    this.socket.resetAndDestroy();
  }

  #died(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#onChange?.('dead');
  }
}

/** Connects to 127.0.0.1 and counts the attempts. A failure is the system's code for it. */
export class SocketConnector {
  attempts = 0;
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  readonly connect: Connect<SocketConnection, string> = done => {
    this.attempts++;
    const socket = net.connect({ host: '127.0.0.1', port: this.#port, allowHalfOpen: true });
    const failed = (error: NodeJS.ErrnoException): void =>
      done({ ok: false, failure: error.code ?? error.message });
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      done({ ok: true, connection: new SocketConnection(socket) });
    });
    return () => {
      socket.off('error', failed).on('error', () => undefined);
      socket.destroy();
    };
  };
}

/** A server on a port of the kernel's choice, with the sockets it has accepted. */
export class SocketBackend {
  readonly accepted: net.Socket[] = [];
  readonly #server: net.Server;

  private constructor(onAccept: (socket: net.Socket) => void) {
    this.#server = net.createServer({ allowHalfOpen: true }, socket => {
      socket.on('error', () => undefined);
      this.accepted.push(socket);
      onAccept(socket);
    });
  }

  static async listen(onAccept: (socket: net.Socket) => void = () => undefined): Promise<SocketBackend> {
    const backend = new SocketBackend(onAccept);
    backend.#server.listen(0, '127.0.0.1');
    await once(backend.#server, 'listening');
    return backend;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening on TCP');
    return address.port;
  }

  /** Stops listening and resets what was accepted. */
  async close(): Promise<void> {
    for (const socket of this.accepted) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
