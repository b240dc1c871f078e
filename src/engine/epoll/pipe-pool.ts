/**
 * Pipes for splice: borrowed only while bytes are in them, then used again.
 *
 * Place: one per engine; a direction of a relay that proves to be bulk borrows one.
 * Why bounded: a user's pipes may hold fs.pipe-user-pages-soft pages in all (16,384 by default); beyond that the
 * kernel makes them one page small. Who gets no pipe moves its bytes through the read buffer instead.
 */
import { F_SETPIPE_SZ, O_CLOEXEC, O_NONBLOCK } from './abi.ts';
import type { Libc } from './libc.ts';

export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
}

/** Larger than the default of 64 KiB: fewer calls for the same bytes. The kernel may refuse. */
export const PIPE_BYTES = 256 * 1024;
/** Pipes at once, borrowed and spare: at 64 pages each, a sixteenth of a user's share. */
const MAX_PIPES = 64;
const MAX_SPARE = 16;

export class PipePool {
  readonly #libc: Libc;
  readonly #spare: Pipe[] = [];
  readonly #own: (fd: number) => void;
  readonly #close: (fd: number) => void;
  #pipes = 0;

  /** `own` and `close` note and end the descriptors. */
  constructor(libc: Libc, handlers: { own(fd: number): void; close(fd: number): void }) {
    this.#libc = libc;
    this.#own = fd => handlers.own(fd);
    this.#close = fd => handlers.close(fd);
  }

  /** An empty pipe, to be given back; undefined when there is none to be had. */
  borrow(): Pipe | undefined {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    return this.#pipes < MAX_PIPES ? this.#open() : undefined;
  }

  /** Takes back an empty pipe. */
  giveBack(pipe: Pipe): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(pipe);
    else this.discard(pipe);
  }

  /** Closes a pipe, with whatever is still in it. */
  discard(pipe: Pipe): void {
    this.#pipes -= 1;
    this.#close(pipe.readFd);
    this.#close(pipe.writeFd);
  }

  /** Closes the spare ones. */
  close(): void {
    for (const pipe of this.#spare.splice(0)) this.discard(pipe);
  }

  #open(): Pipe | undefined {
    const fds = Buffer.alloc(8);
    if (this.#libc.pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) return undefined;
    const pipe = { readFd: fds.readInt32LE(0), writeFd: fds.readInt32LE(4) };
    this.#own(pipe.readFd);
    this.#own(pipe.writeFd);
    this.#libc.fcntl(pipe.writeFd, F_SETPIPE_SZ, PIPE_BYTES);
    this.#pipes += 1;
    return pipe;
  }
}
