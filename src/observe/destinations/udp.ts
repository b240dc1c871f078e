/**
 * Messages over UDP, a line each, one after the other.
 *
 * Place: below `LineBuffer`. A network reports a lost datagram rarely and late: where it does (nothing listens there),
 * the line before is counted as lost, and the line that met the report is sent later.
 * Invariant: the socket keeps no process alive.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { systemCode } from '../../errors.ts';
import type { Output, Written } from '../output.ts';
import { cut, linesOf } from './messages.ts';

/** Receivers take at least 2,048 bytes (RFC 5424 6.1), and those in use 8 KiB. */
const MOST_BYTES = 8 * 1024;

export class UdpOutput implements Output {
  readonly #host: string;
  readonly #port: number;
  /** Present while connected, or about to be. */
  #socket: Socket | undefined;
  /** What the network has reported of lines that were sent. */
  #reported: string | undefined;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  write(bytes: Buffer, done: (written: Written) => void): void {
    const send = (socket: Socket): void => this.#sendNext(socket, linesOf(bytes), 0, done);
    if (this.#socket !== undefined) send(this.#socket);
    else this.#connect(send, code => done({ taken: 0, code }));
  }

  writeNow(bytes: Buffer): void {
    // Node hands a datagram to the system within the call.
    for (const line of linesOf(bytes)) {
      try {
        this.#socket?.send(cut(line, MOST_BYTES));
      } catch {
        return;
      }
    }
  }

  endProcess(exitCode: number): void {
    process.exit(exitCode);
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    try {
      socket?.close();
    } catch {
      // It is closed already.
    }
  }

  #connect(then: (socket: Socket) => void, failed: (code: string) => void): void {
    const socket = createSocket(isIPv6(this.#host) ? 'udp6' : 'udp4');
    socket.unref();
    this.#socket = socket;
    let isConnected = false;
    socket.on('error', error => {
      if (isConnected) this.#reported = systemCode(error);
    });
    // Looks the name up; a later failure does so again.
    socket.connect(this.#port, this.#host, (error?: Error) => {
      if (error) {
        this.close();
        failed(systemCode(error));
        return;
      }
      isConnected = true;
      then(socket);
    });
  }

  #sendNext(socket: Socket, lines: Generator<Buffer>, taken: number, done: (written: Written) => void): void {
    const reported = this.#reported;
    if (reported !== undefined) {
      this.#reported = undefined;
      done({ taken, code: reported, lost: 1 });
      return;
    }
    const next = lines.next();
    if (next.done === true || this.#socket !== socket) {
      done(next.done === true ? { taken } : { taken, code: 'EPIPE' });
      return;
    }
    const line = next.value;
    socket.send(cut(line, MOST_BYTES), error => {
      if (error === null) this.#sendNext(socket, lines, taken + line.length + 1, done);
      else this.#failed(systemCode(error), taken, done);
    });
  }

  #failed(code: string, taken: number, done: (written: Written) => void): void {
    // The report is about the line before; a network that is gone reports on the line itself.
    const lost = code === 'ECONNREFUSED' ? 1 : 0;
    if (lost === 0 && code !== 'ENOBUFS') this.close();
    done({ taken, code: code === 'ENOBUFS' ? 'EAGAIN' : code, lost });
  }
}
