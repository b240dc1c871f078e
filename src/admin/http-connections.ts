/**
 * Connections of the admin API, given to Node's HTTP server one by one, with a deadline each.
 *
 * Place: loaded with the first client, because `node:http` and the routes take 30 ms to load; `listener.ts` accepts.
 * Why deadlines of our own: Node's are those of a server that listens, and this one does not.
 * Invariant: a connection that has not sent a whole request within `REQUEST_MS`, or takes no byte of an answer for
 * `SILENT_MS`, is ended.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { SetTimer } from '../support/timer.ts';
import { mayContinue } from './body.ts';
import { dispatch, sendProblem, type DispatchDeps } from './dispatch.ts';
import { Problem } from './problem.ts';

const REQUEST_MS = 20_000;
const SILENT_MS = 30_000;
const KEEP_ALIVE_MS = 10_000;
const MOST_HEADER_BYTES = 16_384;

/** What is known of a connection. */
interface Connection {
  cancelDeadline: () => void;
}

export class HttpConnections {
  readonly #deps: DispatchDeps;
  readonly #setTimer: SetTimer;
  readonly #server: Server;
  readonly #connections = new Map<Socket, Connection>();
  #isEnding = false;

  constructor(deps: DispatchDeps, setTimer: SetTimer) {
    this.#deps = deps;
    this.#setTimer = setTimer;
    this.#server = createServer({
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MOST_HEADER_BYTES,
      noDelay: true,
    });
    this.#server.setTimeout(SILENT_MS);
    this.#server.on('request', (request, response) => this.#serve(request, response));
    this.#server.on('checkContinue', (request, response) => {
      if (mayContinue(request)) {
        response.writeContinue();
        this.#serve(request, response);
      } else sendProblem(response, new Problem(413, 'the body is too large', { connection: 'close' }));
    });
    // A protocol change, or a tunnel, is none of this server's.
    this.#server.on('upgrade', (_request, socket) => socket.destroy());
    this.#server.on('connect', (_request, socket) => socket.destroy());
  }

  /** Takes over an accepted connection. */
  take(socket: Socket): void {
    const connection: Connection = { cancelDeadline: () => undefined };
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      connection.cancelDeadline();
      this.#connections.delete(socket);
    });
    this.#expectRequest(socket);
    this.#server.emit('connection', socket);
  }

  /** Ends each connection with the answer that is due on it, if there is one; a stream, so that it goes on elsewhere. */
  endSoon(): void {
    this.#isEnding = true;
    this.#deps.streams.close();
    this.#server.closeIdleConnections();
  }

  /** Ends every connection, after what was sent on it; streams have their last event. */
  close(): void {
    this.#deps.streams.close();
    for (const socket of this.#connections.keys()) socket.destroySoon();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const read = (): void => this.#connections.get(socket)?.cancelDeadline();
    response.shouldKeepAlive &&= !this.#isEnding;
    // Only a client that does not take its answer is too slow; a route may take its time.
    response.on('timeout', () => response.headersSent && socket.destroy());
    response.once('finish', () => this.#expectRequest(socket));
    void dispatch(request, response, this.#deps, read);
  }

  #expectRequest(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.cancelDeadline();
    connection.cancelDeadline = this.#setTimer(() => {
      if (socket.writable && socket.bytesWritten === 0)
        socket.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n');
      socket.destroySoon();
    }, REQUEST_MS);
  }
}
