/**
 * The sockets of each worker, as control knows them: sockets of a worker that dies are reset, never closed with a FIN
 * in the middle of a transfer.
 *
 * Place: part of the fleet; workers write the table (one byte per descriptor: the worker that owns it).
 * With the epoll engine the table is exact, and only control closes the sockets of a dead worker. With the node engine
 * the thread closes its own when it ends, and an entry may outlive its socket: so control only turns their close into a
 * reset, and does not touch listening sockets.
 */
import type { EngineName } from '../engine/engine.ts';
import { SOL_SOCKET } from '../linux/abi.ts';
import type { Libc } from '../linux/libc.ts';
import { makeCloseReset, resetDescriptor } from '../linux/listening-sockets.ts';
import { ownerTag } from './messages.ts';

/** More than any system grants in practice; a descriptor beyond it is not reset when its worker dies. */
const MOST_DESCRIPTORS = 1 << 20;
const SO_ACCEPTCONN = 30;
/** `struct sockaddr` of family AF_UNSPEC: connecting to it resets a TCP connection and keeps the descriptor. */
const NOBODY: Uint8Array = new Uint8Array(16);

export class WorkerDescriptors {
  /** The table that workers write. */
  readonly memory: SharedArrayBuffer;
  readonly #libc: Libc;
  readonly #owners: Uint8Array;
  readonly #isExact: boolean;

  /** @param count one more than the highest descriptor there can be */
  constructor(libc: Libc, engine: EngineName, count: number) {
    this.#libc = libc;
    this.#isExact = engine === 'epoll';
    this.memory = new SharedArrayBuffer(Math.min(count, MOST_DESCRIPTORS));
    this.#owners = new Uint8Array(this.memory);
  }

  /** The thread is about to be ended: the sockets it closes then are to be reset. */
  beforeEnd(index: number): void {
    if (!this.#isExact) this.#forEach(index, fd => makeCloseReset(this.#libc, fd));
  }

  /** The thread could not be ended: its clients must not wait for it. */
  leaveBehind(index: number): void {
    if (!this.#isExact) this.#forEach(index, fd => this.#libc.connect(fd, NOBODY, NOBODY.length));
  }

  /** The thread is dead, or counts as dead. */
  bury(index: number): void {
    if (this.#isExact) this.#forEach(index, fd => this.#close(fd));
    const tag = ownerTag(index);
    for (let fd = this.#owners.indexOf(tag); fd !== -1; fd = this.#owners.indexOf(tag, fd + 1)) {
      this.#owners[fd] = 0;
    }
  }

  /** The process ends now: the sockets that the kernel closes then are to be reset, whichever thread owns them. */
  beforeExit(): void {
    this.#owners.forEach((owner, fd) => {
      if (owner !== 0 && !this.#listens(fd)) makeCloseReset(this.#libc, fd);
    });
  }

  /**
   * Not as a reset where it listens: control, or another process, has the same socket open, and each client accepted
   * from it would inherit that its close is a reset, of what was sent to it last, too.
   */
  #close(fd: number): void {
    if (this.#listens(fd)) this.#libc.close(fd);
    else resetDescriptor(this.#libc, fd);
  }

  #forEach(index: number, act: (fd: number) => void): void {
    const tag = ownerTag(index);
    for (let fd = this.#owners.indexOf(tag); fd !== -1; fd = this.#owners.indexOf(tag, fd + 1)) {
      if (this.#isExact || !this.#listens(fd)) act(fd);
    }
  }

  #listens(fd: number): boolean {
    const value = Buffer.alloc(4);
    const bytes = Buffer.from([4, 0, 0, 0]);
    return (
      this.#libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, bytes) === 0 && value.readInt32LE() !== 0
    );
  }
}
