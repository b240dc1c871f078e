/**
 * Messages over UDP, a line each, one after the other.
 *
 * Place: below `LineBuffer`. A network reports a lost datagram rarely and late: where it does (nothing listens there),
 * the line before is counted as lost. From then on a line counts as written only if no report follows it for a moment,
 * so that a receiver that is gone costs one line and no more.
 * Invariants:
 * - The socket keeps no process alive.
 * - A line of which a report says that it is lost, while lb4 waits for one, is sent again later.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { systemCode } from '../../errors.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { Output, Written } from '../output.ts';
import { cut, linesOf } from './messages.ts';

/** Receivers take at least 2,048 bytes (RFC 5424 6.1), and those in use 8 KiB. */
const MOST_BYTES = 8 * 1024;
/** How long a report may take until a receiver counts as one that is there. */
const REPORT_MS = 200;

interface Chunk {
  readonly lines: Generator<Buffer>;
  /** Bytes of lines that were sent. */
  taken: number;
  readonly done: (written: Written) => void;
}

export class UdpOutput implements Output {
  readonly #host: string;
  readonly #port: number;
  readonly #setTimer: SetTimer;
  /** Present while connected, or about to be. */
  #socket: Socket | undefined;
  /** What the network has reported of lines that were sent. */
  #reported: string | undefined;
  /** A line was sent, and no report followed. */
  #isThere = false;
  #cancelTimer: () => void = () => undefined;

  constructor(host: string, port: number, setTimer: SetTimer) {
    this.#host = host;
    this.#port = port;
    this.#setTimer = setTimer;
  }

  write(bytes: Buffer, done: (written: Written) => void): void {
    const chunk = { lines: linesOf(bytes), taken: 0, done };
    // What comes after a report is about the same line.
    if (!this.#isThere) this.#reported = undefined;
    if (this.#socket !== undefined) this.#sendNext(this.#socket, chunk);
    else this.#connect(chunk);
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
    this.#isThere = false;
    this.#cancelTimer();
    try {
      socket?.close();
    } catch {
      // It is closed already.
    }
  }

  #connect(chunk: Chunk): void {
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
        chunk.done({ taken: 0, code: systemCode(error) });
        return;
      }
      isConnected = true;
      this.#sendNext(socket, chunk);
    });
  }

  #sendNext(socket: Socket, chunk: Chunk): void {
    if (this.#isRefused(chunk)) return;
    const next = chunk.lines.next();
    if (next.done === true) {
      // Of a receiver on this machine the report is there when the loop has looked at its sockets.
      setImmediate(() => setImmediate(() => this.#isRefused(chunk) || chunk.done({ taken: chunk.taken })));
      return;
    }
    if (this.#socket !== socket) {
      chunk.done({ taken: chunk.taken, code: 'EPIPE' });
      return;
    }
    const line = next.value;
    socket.send(cut(line, MOST_BYTES), error => {
      if (error !== null) this.#failed(systemCode(error), chunk);
      else if (this.#isThere) this.#goOn(socket, chunk, line);
      else {
        this.#cancelTimer = this.#setTimer(() => {
          if (this.#isRefused(chunk)) return;
          this.#isThere = true;
          this.#goOn(socket, chunk, line);
        }, REPORT_MS);
      }
    });
  }

  #goOn(socket: Socket, chunk: Chunk, line: Buffer): void {
    chunk.taken += line.length + 1;
    this.#sendNext(socket, chunk);
  }

  /** True: a report has come, and the chunk has ended with it. */
  #isRefused(chunk: Chunk): boolean {
    const code = this.#reported;
    if (code === undefined) return false;
    this.#reported = undefined;
    this.#refused(code, chunk);
    return true;
  }

  /** The report is about the line before: it counts as taken, unless its report was waited for. */
  #refused(code: string, { taken, done }: Chunk): void {
    const lost = this.#isThere ? 1 : 0;
    this.#isThere = false;
    done({ taken, code, lost });
  }

  #failed(code: string, chunk: Chunk): void {
    if (code === 'ECONNREFUSED') {
      this.#refused(code, chunk);
      return;
    }
    // A network that is gone reports on the line itself.
    if (code !== 'ENOBUFS') this.close();
    chunk.done({ taken: chunk.taken, code: code === 'ENOBUFS' ? 'EAGAIN' : code });
  }
}
