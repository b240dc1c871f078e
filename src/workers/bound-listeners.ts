/**
 * The listening sockets of all listeners, as control holds them: bound once, one per worker.
 *
 * Place: `worker-fleet.ts`. While they are open a worker that dies loses no client that waits for it.
 */
import { lookup } from 'node:dns/promises';
import { unlinkSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ListeningSocket } from '../engine/engine.ts';
import type { Libc } from '../engine/epoll/libc.ts';
import {
  bindListeningSockets,
  closeDescriptor,
  type ListeningSockets,
} from '../engine/epoll/listening-sockets.ts';
import { refuseNewClients } from '../engine/epoll/stop-accepting.ts';
import { listenFailure } from '../engine/listen-failure.ts';
import { formatAddress, type Address } from '../support/address.ts';
import { splitZone } from '../support/zone.ts';

export class BoundListeners {
  readonly #libc: Libc;
  /** Per listener: its addresses, with one socket per worker each. */
  #bound: ListeningSockets[][] = [];

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Binds the next listener's addresses; rejects with LB4_LISTEN_FAILED, and then `close` is to be called. */
  async bind(addresses: readonly Address[], workers: number): Promise<void> {
    const bound: ListeningSockets[] = [];
    this.#bound.push(bound);
    for (const address of addresses) {
      bound.push(await bindListeningSockets(this.#libc, await numeric(address), workers));
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

  /** Gives up control's sockets, and removes unix socket files; what workers have duplicated lives on. Idempotent. */
  close(): void {
    for (const { address, fds } of this.#bound.flat()) {
      for (const fd of fds) closeDescriptor(this.#libc, fd);
      if (address.kind === 'unix') removeSocketFile(address.path);
    }
    this.#bound = [];
  }
}

/** Names are resolved as Node does it when it listens: the first answer. */
async function numeric(address: Address): Promise<Address> {
  if (address.kind === 'unix' || address.host === '' || isIP(splitZone(address.host)[0]) !== 0) {
    return address;
  }
  try {
    return { ...address, host: (await lookup(address.host)).address };
  } catch (error) {
    throw listenFailure(address, error);
  }
}

function removeSocketFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody else has removed it.
  }
}
