/**
 * One direction of a relay: reads from one side, sends to the other, and keeps what could not be sent.
 *
 * Place: a relay has two; they move bytes, the relay decides what an end or a failure means.
 * How: what `recv` reads into the shared buffer is sent at once; what the other side does not take is copied
 * aside, and nothing is read until it is gone. After two full buffers in a row the direction is bulk: its bytes
 * go through a pipe (`splice`) and never enter this process. A short read of a TCP socket proves that the kernel
 * has no more, and after a FIN that the end follows, so neither is asked for again (epoll-connection.ts says where it
 * proves nothing).
 * Invariants:
 * - at most one buffer or one pipe of bytes is held, and nothing is read meanwhile;
 * - a pipe that the pool takes back leaves its bytes as such a buffer.
 */
import type { OnItsWay, Pace } from '../engine.ts';
import { Underway } from '../underway.ts';
import { SPLICE_F_MOVE, SPLICE_F_NONBLOCK } from '../../linux/abi.ts';
import type { EpollConnection } from './epoll-connection.ts';
import type { EpollDeps } from './epoll-deps.ts';
import { PIPE_BYTES, type Pipe, type PipeHolder, type PipePool } from './pipe-pool.ts';
import { EAGAIN, EINTR } from '../../linux/system-error.ts';

/**
 * The result of moving: 'more' may follow at once, 'wait' for an event, 'end' of what `from` sends, or one of the
 * two sides failed.
 */
export type Moved = 'more' | 'wait' | 'end' | 'readFailed' | 'writeFailed';

/** Full reads in a row that make a direction bulk. */
const BULK_AFTER = 2;
/** A splice that moves less than this was not worth its three calls: back to recv and send. */
const WORTH_SPLICING_BYTES = 16 * 1024;
/** Without a pipe a bulk direction reads on, for up to 66 full reads, before it asks for one again. */
const NO_PIPE = -64;
/** More than any read. A small integer to V8: every direction has it, and another number would be an object of its own. */
const ALL = 2 ** 30 - 1;
const SPLICE_FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

/** Looks at what the receivers have acknowledged. */
export function lookAtDelivery(directions: readonly Direction[], onProgress: () => void): OnItsWay {
  const isOnItsWay = directions.map(direction => direction.lookAtDelivery(onProgress));
  return isOnItsWay.includes(true) ? 'bytes' : 'nothing';
}

export class Direction implements PipeHolder {
  /** Which side the bytes come from. */
  readonly by: 'client' | 'backend';
  readonly from: EpollConnection;
  readonly to: EpollConnection;
  receivedBytes = 0;
  /** Bytes sent before those of `from`, and not received from it. */
  readonly prefaceBytes: number = 0;
  /** The FIN of `from` has been read. */
  ended = false;
  /** `from` takes no more bytes itself, though what it had sent may still have to be read. */
  deaf = false;
  /** When `move` reports the end, the FIN for `to` follows at once: not a reset, nor anything that takes a while. */
  endIsPassedOn = false;
  #fullReads = 0;
  /** Bytes that `to` has not taken yet. */
  #held: Uint8Array | undefined;
  /** Bytes in it. */
  pipeBytes = 0;
  #pipe: Pipe | undefined;
  /** Of the held bytes, those that the pool has taken out of a pipe. */
  #outBytes = 0;
  /** Present while a look at a deadline has found bytes on their way. */
  #underway: Underway | undefined;
  #pace: Pace | undefined;
  /** The most that the next read may bring. */
  #allowedBytes = ALL;

  /** `preface`: what `to` gets before anything of `from`. */
  constructor(by: 'client' | 'backend', from: EpollConnection, to: EpollConnection, preface?: Uint8Array) {
    this.by = by;
    this.from = from;
    this.to = to;
    if (from.unread === undefined && preface === undefined) return;
    const unread = from.unread?.show();
    from.unread = undefined;
    this.receivedBytes = unread?.length ?? 0;
    this.prefaceBytes = preface?.length ?? 0;
    // One send for both: a backend that reads once gets preface and bytes together.
    if (this.prefaceBytes === 0 || preface === undefined) this.#held = unread;
    else this.#held = unread === undefined ? preface : Buffer.concat([preface, unread]);
  }

  /** Bytes for `to`, on their way or still held. */
  get sentBytes(): number {
    return this.receivedBytes + this.prefaceBytes;
  }

  /** It moves much: through pipes, or through the read buffer while there are none. */
  get isBulk(): boolean {
    return this.#fullReads >= BULK_AFTER || this.#fullReads < 0;
  }

  get hasPending(): boolean {
    return this.#held !== undefined || this.#pipe !== undefined;
  }

  /** Bytes received that `to` has taken. */
  get passedBytes(): number {
    return this.receivedBytes - (this.#held?.length ?? 0) - this.pipeBytes;
  }

  /** It has something to read that waits only for its pace. */
  get isPaced(): boolean {
    return this.#pace?.isWaiting === true;
  }

  /** From now on it reads as `pace` allows; `goOn` is called when it may again. */
  setPace(pace: Pace | undefined, goOn: () => void): void {
    this.#pace?.end();
    this.#pace = pace;
    this.#allowedBytes = ALL;
    pace?.begin(goOn);
  }

  /** Asked before each `move`. An end without bytes before it waits for nothing. */
  mayMove(): boolean {
    if (this.#pace === undefined) return true;
    this.#allowedBytes = this.#pace.ask();
    if (this.#allowedBytes > 0) return true;
    if (!this.from.hungUp || this.from.unreadBytes > 0) return false;
    this.#allowedBytes = 1;
    return true;
  }

  /** Reads once and sends it. Nothing may be pending. */
  move(deps: EpollDeps): Moved {
    const before = this.receivedBytes;
    const moved = this.#fullReads >= BULK_AFTER ? this.#splice(deps) : this.#copy(deps);
    this.#pace?.took(this.receivedBytes - before, this.from.readable);
    return moved;
  }

  /** Sends what is pending; 'more' when nothing is left of it. */
  flush(deps: EpollDeps): Moved {
    return this.#held === undefined ? this.#flushPipe(deps) : this.#flushHeld(this.#held, deps);
  }

  /** Looks at what `to` has acknowledged; true while bytes are on their way to it. */
  lookAtDelivery(onProgress: () => void): boolean {
    const leftBytes = this.sentBytes === 0 || this.to.closed ? 0 : this.to.unackedBytes;
    if (leftBytes === 0 && this.#underway === undefined) return false;
    const underway = (this.#underway ??= new Underway());
    if (underway.note(leftBytes, this.sentBytes)) onProgress();
    if (leftBytes === 0) this.#underway = undefined;
    return leftBytes > 0;
  }

  /** Throws away what could not be delivered: it moves no more. */
  drop(pipes: PipePool): void {
    this.#pace?.end();
    this.#held = undefined;
    this.#forgetOut(pipes);
    if (this.#pipe !== undefined) pipes.discard(this.#pipe);
    this.#pipe = undefined;
    this.pipeBytes = 0;
  }

  /** What `from` had sent, while nothing of it has been sent on. */
  get untouched(): Uint8Array | undefined {
    const held = this.#held;
    return this.receivedBytes === 0 ? undefined : held?.subarray(held.length - this.receivedBytes);
  }

  /** For the pool only. */
  takeOut(bytes: Buffer): void {
    this.#held = bytes;
    this.#outBytes = bytes.length;
    this.#pipe = undefined;
    this.pipeBytes = 0;
    // Its receiver takes nothing: it moves through the read buffer for a while, even after that has changed.
    this.#fullReads = NO_PIPE;
  }

  #copy({ libc, readBuffer }: EpollDeps): Moved {
    const { from, to } = this;
    const size = Math.min(readBuffer.length, this.#allowedBytes);
    const count = libc.recv(from.fd, readBuffer, size, 0);
    if (count <= 0) return this.#nothingRead(count === 0 ? 0 : libc.errno());
    this.receivedBytes += count;
    let endFollows = false;
    if (count === size) {
      if (size === readBuffer.length) this.#fullReads += 1;
    } else {
      this.#fullReads = 0;
      if (from.shortReadIsAll) {
        if (from.hungUp) endFollows = !from.broken;
        else from.readable = false;
      }
    }
    const sent =
      endFollows && this.endIsPassedOn ? to.sendLast(readBuffer, count) : to.send(readBuffer, count);
    if (sent !== count) {
      if (sent < 0 && !this.#mayWait(libc.errno())) return 'writeFailed';
      this.#held = Buffer.from(readBuffer.subarray(Math.max(sent, 0), count));
    }
    if (endFollows) return 'end';
    return sent === count && from.readable ? 'more' : 'wait';
  }

  #splice(deps: EpollDeps): Moved {
    const { libc, pipes } = deps;
    const pipe = pipes.borrow();
    if (pipe === undefined) {
      this.#fullReads = NO_PIPE;
      return 'more';
    }
    const size = Math.min(PIPE_BYTES, this.#allowedBytes);
    const count = libc.splice(this.from.fd, null, pipe.writeFd, null, size, SPLICE_FLAGS);
    if (count <= 0) {
      const errno = count === 0 ? 0 : libc.errno();
      pipes.giveBack(pipe);
      // splice stops for good before a byte of urgent data, and after a FIN reports the end there: recv reads on.
      if (errno === 0 || (errno === EAGAIN && this.from.urgent)) {
        this.#fullReads = 0;
        return 'more';
      }
      return this.#nothingRead(errno);
    }
    this.receivedBytes += count;
    if (count < WORTH_SPLICING_BYTES) this.#fullReads = 0;
    this.to.setNoDelay();
    this.#pipe = pipe;
    this.pipeBytes = count;
    return this.#flushPipe(deps);
  }

  /** A read brought no bytes: not yet, never again (errno 0), or the connection is broken. */
  #nothingRead(errno: number): Moved {
    if (errno === EINTR) return 'more';
    this.from.nothingMore();
    if (errno === 0) return 'end';
    if (errno === EAGAIN) return 'wait';
    this.from.failed(errno);
    return 'readFailed';
  }

  /** What a write that brought an errno means: `to` takes nothing now, or it is broken. */
  #mayWait(errno: number): boolean {
    if (errno === EAGAIN) return true;
    this.to.failed(errno);
    return false;
  }

  #flushHeld(held: Uint8Array, { libc, pipes }: EpollDeps): Moved {
    const sent = this.to.send(held, held.length);
    if (sent < 0) return this.#mayWait(libc.errno()) ? 'wait' : 'writeFailed';
    this.#held = sent === held.length ? undefined : held.subarray(sent);
    if (this.#held !== undefined) return 'wait';
    this.#forgetOut(pipes);
    return 'more';
  }

  #forgetOut(pipes: PipePool): void {
    if (this.#outBytes === 0) return;
    pipes.left(this.#outBytes);
    this.#outBytes = 0;
  }

  #flushPipe({ libc, pipes }: EpollDeps): Moved {
    const pipe = this.#pipe;
    if (pipe === undefined) return 'more';
    let moved = false;
    while (this.pipeBytes > 0) {
      const sent = libc.splice(pipe.readFd, null, this.to.fd, null, this.pipeBytes, SPLICE_FLAGS);
      if (sent < 0) {
        if (!this.#mayWait(libc.errno())) return 'writeFailed';
        pipes.waits(pipe, this, moved);
        return 'wait';
      }
      this.pipeBytes -= sent;
      moved = true;
    }
    pipes.giveBack(pipe);
    this.#pipe = undefined;
    return 'more';
  }
}
