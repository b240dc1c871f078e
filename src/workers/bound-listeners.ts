/**
 * The listening sockets of all listeners, as control holds them: bound once, one per worker.
 *
 * Place: `worker-fleet.ts`. While they are open a worker that dies loses no client that waits for it.
 */
import type { ListeningSocket, SocketOptions } from '../engine/engine.ts';
import type { Libc } from '../engine/epoll/libc.ts';
import {
  bindListeningSockets,
  closeDescriptor,
  type ListeningSockets,
} from '../engine/epoll/listening-sockets.ts';
import { removeIfSame } from '../engine/socket-file.ts';
import { refuseNewClients } from '../engine/epoll/stop-accepting.ts';
import { formatAddress, type ListenAddress } from '../support/address.ts';

export class BoundListeners {
  readonly #libc: Libc;
  /** Per listener: its addresses, with one socket per worker each. */
  #bound: ListeningSockets[][] = [];

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Binds the next listener's addresses, none a name; rejects with LB4_LISTEN_FAILED, `close` is to be called then. */
  async bind(addresses: readonly ListenAddress[], workers: number, options: SocketOptions): Promise<void> {
    const bound: ListeningSockets[] = [];
    this.#bound.push(bound);
    for (const address of addresses) {
      bound.push(await bindListeningSockets(this.#libc, address, workers, options));
    }
  }

  /** The addresses of the listener with this index, as text. */
  addresses(listener: number): readonly string[] {
    return (this.#bound[listener] ?? []).map(({ address }) => formatAddress(address));
  }

  /** Per listener: the sockets of the worker with this index. */
  socketsOf(worker: number): readonly (readonly ListeningSocket[])[] {
    return this.#bound.map(addresses =>
      addresses.map(({ address, fds }) => ({ kind: 'listening', fd: fds[worker] ?? -1, address })),
    );
  }

  /** No new client is let in from now on, on any socket; those in the queues can still be accepted. */
  refuseNewClients(): void {
    for (const { address, fds } of this.#bound.flat())
      for (const fd of fds) refuseNewClients(this.#libc, fd, address.kind);
  }

  /** Gives up control's sockets, and removes the files of unix sockets that are still its own; what workers have duplicated lives on. Idempotent. */
  close(): void {
    for (const { fds, file } of this.#bound.flat()) {
      if (file !== undefined) removeIfSame(file);
      for (const fd of fds) closeDescriptor(this.#libc, fd);
    }
    this.#bound = [];
  }
}
