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
import type { Duplex } from 'node:stream';
import type { SetTimer } from '../support/timer.ts';
import { mayContinue } from './body.ts';
import { dispatch, sendProblem, type DispatchDeps } from './dispatch.ts';
import { Problem, problemText } from './problem.ts';

const REQUEST_MS = 20_000;
const SILENT_MS = 30_000;
const KEEP_ALIVE_MS = 10_000;
const MOST_HEADER_BYTES = 16_384;

/** What is known of a connection. */
interface Connection {
  readonly socket: Socket;
  cancelDeadline: () => void;
  /** A whole request has come, and its answer is due. */
  isAsked: boolean;
  /** The answers that are under way, in the order of their requests. */
  readonly answers: Set<ServerResponse>;
}

/** What Node's parser has found wrong, where it is not just no HTTP. */
const PARSER_PROBLEMS: Readonly<Record<string, Problem>> = {
  HPE_HEADER_OVERFLOW: new Problem(431, `path and headers are larger than ${MOST_HEADER_BYTES} bytes`),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new Problem(413, 'the extensions of a chunk are too large'),
};
const NO_HTTP = new Problem(400, 'this is no HTTP request');
const NO_HOST = new Problem(400, 'a request of HTTP/1.1 names a Host', { connection: 'close' });
const TOO_LATE = new Problem(408, `no whole request within ${REQUEST_MS / 1_000} s`);

export class HttpConnections {
  readonly #deps: DispatchDeps;
  readonly #setTimer: SetTimer;
  readonly #server: Server;
  readonly #connections = new Map<Duplex, Connection>();
  #isEnding = false;

  constructor(deps: DispatchDeps, setTimer: SetTimer) {
    this.#deps = deps;
    this.#setTimer = setTimer;
    this.#server = createServer({
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MOST_HEADER_BYTES,
      noDelay: true,
      // A missing Host is a problem like any other.
      requireHostHeader: false,
    });
    this.#server.setTimeout(SILENT_MS);
    this.#server.on('request', (request, response) => this.#serve(request, response));
    this.#server.on('checkContinue', (request, response) => {
      if (mayContinue(request)) {
        response.writeContinue();
        this.#serve(request, response);
      } else sendProblem(response, new Problem(413, 'the body is too large', { connection: 'close' }));
    });
    this.#server.on('clientError', (error, socket) => this.#refuse(error, socket));
    // A protocol change, or a tunnel, is none of this server's.
    this.#server.on('upgrade', (_request, socket) => socket.destroy());
    this.#server.on('connect', (_request, socket) => socket.destroy());
  }

  /** Takes over an accepted connection. */
  take(socket: Socket): void {
    const connection: Connection = {
      socket,
      cancelDeadline: () => undefined,
      isAsked: false,
      answers: new Set(),
    };
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      connection.cancelDeadline();
      this.#connections.delete(socket);
    });
    this.#expectRequest(socket);
    this.#server.emit('connection', socket);
  }

  /** Whether no whole request has come from it since its last answer. */
  isWithoutRequest(socket: Socket): boolean {
    return this.#connections.get(socket)?.isAsked !== true;
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
    for (const { socket } of this.#connections.values()) socket.destroySoon();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const connection = this.#connections.get(socket);
    connection?.answers.add(response);
    socket.setTimeout(SILENT_MS);
    const read = (): void => {
      if (connection === undefined) return;
      connection.cancelDeadline();
      connection.isAsked = true;
    };
    response.shouldKeepAlive &&= !this.#isEnding;
    // Only a client that does not take its answer is too slow; a route may take its time.
    response.on('timeout', () => response.headersSent && socket.destroy());
    response.once('finish', () => this.#answered(socket, response));
    if (request.httpVersion !== '1.0' && request.headers.host === undefined) {
      sendProblem(response, NO_HOST);
      return;
    }
    void dispatch(request, response, this.#deps, read);
  }

  #answered(socket: Socket, response: ServerResponse): void {
    const answers = this.#connections.get(socket)?.answers;
    answers?.delete(response);
    const others = [...(answers ?? [])];
    // Node's time between requests begins with any answer's end, also when another answer is under way.
    if (others.length > 0) socket.setTimeout(SILENT_MS);
    if (others.every(({ req }) => !req.complete)) this.#expectRequest(socket);
  }

  #expectRequest(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.isAsked = false;
    connection.cancelDeadline();
    connection.cancelDeadline = this.#setTimer(() => {
      if (socket.writable && socket.bytesWritten === 0) socket.write(problemText(TOO_LATE));
      socket.destroySoon();
    }, REQUEST_MS);
  }

  /** What Node cannot read, or reads no further: no route gets it. */
  #refuse(error: Error, stream: Duplex): void {
    const connection = this.#connections.get(stream);
    if (connection === undefined) {
      stream.destroy();
      return;
    }
    const { socket, answers } = connection;
    const code = 'code' in error ? String(error.code) : '';
    const isBegun = [...answers].some(({ headersSent }) => headersSent);
    if (socket.writable && !isBegun && code !== 'ECONNRESET')
      socket.write(problemText(PARSER_PROBLEMS[code] ?? NO_HTTP));
    socket.destroySoon();
  }
}
