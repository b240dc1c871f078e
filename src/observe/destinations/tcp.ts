/**
 * Messages over TCP, each behind its length (RFC 6587 3.4.1).
 *
 * Place: below `LineBuffer`, a chunk at a time. A chunk counts as written once the receiver's system has acknowledged
 * all of it, where lb4 can see that; a chunk whose connection breaks before is sent again over the next one. So a
 * receiver may get some lines twice.
 * Invariants:
 * - At most one chunk is held.
 * - The connection keeps no process alive once it is closed.
 */
import { connect, type Socket } from 'node:net';
import { systemCode } from '../../errors.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { Output, Written } from '../output.ts';
import { cut, linesOf } from './messages.ts';

const MOST_BYTES = 64 * 1024;
const CONNECT_MS = 5_000;
/** A receiver that has acknowledged nothing for this long is taken for gone. */
const SILENT_MS = 60_000;
const FIRST_LOOK_MS = 2;
const LAST_LOOK_MS = 100;
/** Until the next attempt to connect, doubled each time. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export interface TcpOutputDeps {
  now(): number;
  readonly setTimer: SetTimer;
  /** Bytes that were sent and not acknowledged; undefined where the system does not show it. */
  unacknowledged(socket: Socket): number | undefined;
}

interface Underway {
  readonly bytes: number;
  readonly done: (written: Written) => void;
}

export class TcpOutput implements Output {
  readonly #host: string;
  readonly #port: number;
  readonly #deps: TcpOutputDeps;
  #socket: Socket | undefined;
  #underway: Underway | undefined;
  #cancelTimer: () => void = () => undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #nextTryMs = -Infinity;
  #lastCode = 'ECONNREFUSED';

  constructor(host: string, port: number, deps: TcpOutputDeps) {
    this.#host = host;
    this.#port = port;
    this.#deps = deps;
  }

  write(bytes: Buffer, done: (written: Written) => void): void {
    if (this.#socket === undefined && this.#deps.now() < this.#nextTryMs) {
      done({ taken: 0, code: this.#lastCode });
      return;
    }
    this.#underway = { bytes: bytes.length, done };
    const messages = framed(bytes);
    if (this.#socket !== undefined) this.#send(this.#socket, messages);
    else this.#connect(messages);
  }

  writeNow(bytes: Buffer): void {
    if (this.#underway === undefined) this.#socket?.write(framed(bytes));
  }

  endProcess(exitCode: number): void {
    process.exit(exitCode);
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#underway = undefined;
    this.#cancelTimer();
    socket?.destroySoon();
    socket?.unref();
  }

  #connect(messages: Buffer): void {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true, keepAlive: true });
    this.#socket = socket;
    socket.on('error', error => this.#broken(socket, systemCode(error)));
    // A receiver has nothing to say; what it says is not kept.
    socket.on('data', () => undefined);
    socket.on('end', () => this.#broken(socket, 'EPIPE'));
    socket.on('close', () => this.#broken(socket, 'EPIPE'));
    this.#wait(CONNECT_MS, () => this.#broken(socket, 'ETIMEDOUT'));
    socket.on('connect', () => {
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#send(socket, messages);
    });
  }

  #send(socket: Socket, messages: Buffer): void {
    const untilMs = this.#deps.now() + SILENT_MS;
    this.#wait(SILENT_MS, () => this.#broken(socket, 'ETIMEDOUT'));
    socket.write(messages, error => {
      if (!error && this.#socket === socket) this.#awaitAcknowledgement(socket, untilMs, FIRST_LOOK_MS);
    });
  }

  #awaitAcknowledgement(socket: Socket, untilMs: number, lookMs: number): void {
    const left = this.#deps.unacknowledged(socket) ?? 0;
    if (left === 0) this.#end(socket);
    else if (this.#deps.now() >= untilMs) this.#broken(socket, 'ETIMEDOUT');
    else {
      const nextMs = Math.min(lookMs * 2, LAST_LOOK_MS);
      this.#wait(lookMs, () => this.#awaitAcknowledgement(socket, untilMs, nextMs));
    }
  }

  #end(socket: Socket): void {
    const underway = this.#underway;
    if (this.#socket !== socket || underway === undefined) return;
    this.#underway = undefined;
    this.#cancelTimer();
    underway.done({ taken: underway.bytes });
  }

  #broken(socket: Socket, code: string): void {
    if (this.#socket !== socket) return;
    const underway = this.#underway;
    this.#socket = undefined;
    this.#underway = undefined;
    this.#cancelTimer();
    socket.destroy();
    this.#lastCode = code;
    this.#nextTryMs = this.#deps.now() + this.#pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    underway?.done({ taken: 0, code });
  }

  #wait(ms: number, then: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#deps.setTimer(then, ms);
  }
}

function framed(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (const line of linesOf(bytes)) {
    const message = cut(line, MOST_BYTES);
    parts.push(Buffer.from(`${message.length} `), message);
  }
  return Buffer.concat(parts);
}
