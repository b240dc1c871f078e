/**
 * The sockets this engine owns: every descriptor is opened and closed here, and nowhere else.
 *
 * Place: one per engine, used by listener, connect and connection.
 * Why: all threads of a process share its descriptors, and nothing closes those of a worker that dies. So each
 * descriptor is noted in a table that control can read (one byte per descriptor: its owner) and cleared before it is
 * closed, because from then on its number may be another thread's.
 */
import { makeCloseReset } from '../../linux/listening-sockets.ts';
import { EPOLLET, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from '../../linux/abi.ts';
import type { Libc } from '../../linux/libc.ts';
import type { Reactor, Watched } from './reactor.ts';

/** One registration for a connection's whole life, never modified. */
const ALL_EDGES = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;

export interface OwnerTable {
  /** One byte per descriptor number; 0 for one without an owner. */
  readonly owners: Uint8Array;
  readonly tag: number;
}

export class Descriptors {
  readonly #libc: Libc;
  readonly #reactor: Reactor;
  readonly #table: OwnerTable | undefined;

  constructor(libc: Libc, reactor: Reactor, table: OwnerTable | undefined) {
    this.#libc = libc;
    this.#reactor = reactor;
    this.#table = table;
  }

  /** Notes a descriptor as this engine's. */
  own(fd: number): void {
    if (this.#table !== undefined) this.#table.owners[fd] = this.#table.tag;
  }

  /** Notes a connection's descriptor and reports everything that happens on it to `target`. */
  watch(fd: number, target: Watched): boolean {
    this.own(fd);
    return this.#reactor.add(fd, target, ALL_EDGES);
  }

  close(fd: number): void {
    this.#reactor.forget(fd);
    if (this.#table !== undefined) this.#table.owners[fd] = 0;
    this.#libc.close(fd);
  }

  /** Closes with a reset; a unix socket, which has no reset, is just closed. */
  reset(fd: number): void {
    makeCloseReset(this.#libc, fd);
    this.close(fd);
  }
}
