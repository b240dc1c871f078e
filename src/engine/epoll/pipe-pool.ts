/**
 * Pipes for splice: borrowed only while bytes are in them, then used again.
 *
 * Place: one per engine; a direction of a relay that proves to be bulk borrows one.
 * Why bounded: a user's pipes may hold fs.pipe-user-pages-soft pages in all (16,384 by default); beyond that the
 * kernel makes them one page small. A direction that gets no pipe moves its bytes through the read buffer instead.
 * Receivers that take nothing: a direction keeps its pipe while its receiver takes nothing. When no pipe is left, the
 * direction that has waited longest, and for `STUCK_MS` at least, gives its pipe up: its bytes move to memory, and it
 * goes on without a pipe. Otherwise some dozens of readers that have stopped would cost every other bulk flow its
 * pipe (measured: 2.6 times the CPU per byte).
 * Invariants:
 * - no byte of a pipe that is taken back is lost or changes its place;
 * - at most `MOST_BYTES_OUT` are in memory because of it.
 */
import { F_SETPIPE_SZ, O_CLOEXEC, O_NONBLOCK } from '../../linux/abi.ts';
import type { Libc } from '../../linux/libc.ts';

export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
}

/** A direction whose bytes wait in a pipe for their receiver. */
export interface PipeHolder {
  readonly pipeBytes: number;
  /** The pool has taken its pipe back: `bytes` were in it, in this order, and come next. */
  takeOut(bytes: Buffer): void;
}

export interface PipePoolDeps {
  /** Notes a descriptor of this engine's. */
  own(fd: number): void;
  close(fd: number): void;
  /** Milliseconds of a monotonic clock that may be coarse. */
  now(): number;
}

interface Waiting {
  readonly holder: PipeHolder;
  readonly sinceMs: number;
}

/** Larger than the default of 64 KiB: fewer calls for the same bytes. The kernel may refuse this size. */
export const PIPE_BYTES = 256 * 1024;
/** Pipes at once, borrowed and spare: at 64 pages each, a sixteenth of a user's share. */
const MAX_PIPES = 64;
const MAX_SPARE = 16;
/** A receiver that takes nothing for this long is not merely slow. */
const STUCK_MS = 200;
/** In memory instead of in pipes, all directions together: as much as 2 * MAX_PIPES pipes would hold. */
const MOST_BYTES_OUT = 2 * MAX_PIPES * PIPE_BYTES;

export class PipePool {
  readonly #libc: Libc;
  readonly #deps: PipePoolDeps;
  readonly #spare: Pipe[] = [];
  /** Pipes whose receivers take nothing, the longest time first. */
  readonly #waiting = new Map<Pipe, Waiting>();
  #pipes = 0;
  #bytesOut = 0;

  constructor(libc: Libc, deps: PipePoolDeps) {
    this.#libc = libc;
    this.#deps = deps;
  }

  /** An empty pipe, to be given back; undefined when there is none to be had. */
  borrow(): Pipe | undefined {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    return this.#open() ?? this.#takeBack();
  }

  /** The receiver of what is in the pipe takes nothing now. `moved`: it has just taken something. */
  waits(pipe: Pipe, holder: PipeHolder, moved: boolean): void {
    if (!moved && this.#waiting.has(pipe)) return;
    // Behind the others: a Map keeps the order of insertion.
    this.#waiting.delete(pipe);
    this.#waiting.set(pipe, { holder, sinceMs: this.#deps.now() });
  }

  /** Takes back an empty pipe. */
  giveBack(pipe: Pipe): void {
    this.#waiting.delete(pipe);
    if (this.#spare.length < MAX_SPARE) this.#spare.push(pipe);
    else this.discard(pipe);
  }

  /** Closes a pipe, with whatever is still in it. */
  discard(pipe: Pipe): void {
    this.#waiting.delete(pipe);
    this.#pipes -= 1;
    this.#deps.close(pipe.readFd);
    this.#deps.close(pipe.writeFd);
  }

  /** Bytes that were taken out of a pipe have left memory. */
  left(bytes: number): void {
    this.#bytesOut -= bytes;
  }

  /** Closes the spare ones. */
  close(): void {
    for (const pipe of this.#spare.splice(0)) this.discard(pipe);
  }

  /** The pipe of the direction that has waited longest, if that is long enough and its bytes have room. */
  #takeBack(): Pipe | undefined {
    const [longest] = this.#waiting;
    if (longest === undefined) return undefined;
    const [pipe, { holder, sinceMs }] = longest;
    const { pipeBytes } = holder;
    if (this.#deps.now() - sinceMs < STUCK_MS || this.#bytesOut + pipeBytes > MOST_BYTES_OUT)
      return undefined;
    const bytes = Buffer.allocUnsafe(pipeBytes);
    // All of it is there, and a read takes all there is: what a pipe holds was put there by this thread.
    if (this.#libc.read(pipe.readFd, bytes, pipeBytes) !== pipeBytes) return undefined;
    this.#waiting.delete(pipe);
    this.#bytesOut += pipeBytes;
    holder.takeOut(bytes);
    return pipe;
  }

  #open(): Pipe | undefined {
    if (this.#pipes >= MAX_PIPES) return undefined;
    const fds = Buffer.alloc(8);
    if (this.#libc.pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) return undefined;
    const pipe = { readFd: fds.readInt32LE(0), writeFd: fds.readInt32LE(4) };
    this.#deps.own(pipe.readFd);
    this.#deps.own(pipe.writeFd);
    this.#libc.fcntl(pipe.writeFd, F_SETPIPE_SZ, PIPE_BYTES);
    this.#pipes += 1;
    return pipe;
  }
}
