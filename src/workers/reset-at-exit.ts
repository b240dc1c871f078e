/**
 * Sees to it that the sessions of a process that ends now end with a reset, in whichever thread they run.
 *
 * Place: called by the fleet at the exit of the process, when no worker can be asked for anything any more.
 * How: every socket that belongs to a session is told to reset when it is closed, and the kernel closes them all.
 * Nothing is closed here, because a worker that still runs could mistake the next socket for it.
 */
import { readdirSync } from 'node:fs';
import type { Libc } from '../engine/epoll/libc.ts';
import { makeCloseReset } from '../engine/epoll/listening-sockets.ts';
import { encodeAddress, hostOf, portOf, SOCKADDR_BYTES } from '../engine/epoll/sockaddr.ts';
import type { Address } from '../support/address.ts';
import type { UpstreamSnapshot } from '../upstream/snapshot.ts';

/** For the engine that enters its sockets in a table, one byte each: those that have an owner. */
export function resetOwned(libc: Libc, owners: Uint8Array): void {
  owners.forEach((owner, fd) => {
    if (owner > 0) makeCloseReset(libc, fd);
  });
}

/**
 * For the other one, by addresses: a client's socket has the port of a listener, a backend's has the backend as its
 * peer. Without effect where the descriptors of the process cannot be listed.
 */
export function resetSessionsAt(
  libc: Libc,
  listeners: readonly Address[],
  upstreams: Iterable<UpstreamSnapshot>,
): void {
  const ports = new Set(listeners.flatMap(address => (address.kind === 'tcp' ? [address.port] : [])));
  const peers = new Set<string>();
  for (const { backends } of upstreams) {
    for (const { address } of backends) {
      if (address?.kind === 'tcp') peers.add(nameOf(encodeAddress(address).bytes));
    }
  }
  const name = Buffer.alloc(SOCKADDR_BYTES);
  const length = Buffer.alloc(4);
  const read = (whose: 'getsockname' | 'getpeername', fd: number): boolean => {
    length.writeUInt32LE(name.length);
    return libc[whose](fd, name, length) === 0 && hostOf(name) !== '';
  };
  for (const fd of openDescriptors()) {
    const isClient = read('getsockname', fd) && ports.has(portOf(name));
    if (isClient || (read('getpeername', fd) && peers.has(nameOf(name)))) makeCloseReset(libc, fd);
  }
}

function nameOf(bytes: Buffer): string {
  return `${hostOf(bytes)} ${portOf(bytes)}`;
}

function openDescriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
}
