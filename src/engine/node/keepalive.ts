/**
 * How Node is made to find out that a peer has vanished.
 *
 * Place: beside the listener and connect. With the C library everything that is asked for is set, and on Linux clients
 * inherit it from the listening socket. Without it only `idleMs` is the configuration's: the interval and the count
 * are the system's or libuv's, there is no user timeout, and no
 * client is kept back.
 */
import type { Keepalive, SocketOptions } from '../../support/socket.ts';
import type { Server, Socket } from 'node:net';

import type { Libc } from '../../linux/libc.ts';
import { setKeepalive as setWith, setSocketOptions } from '../../linux/socket-options.ts';
import { descriptorOf } from '../../support/descriptor.ts';

/**
 * Gives a listening socket its own options, and what its clients are to inherit; false where each of them needs a call
 * of its own.
 */
export function letInherit(server: Server, options: SocketOptions, libc: Libc | undefined): boolean {
  const { keepalive, userTimeoutMs, deferAcceptMs, fastOpen } = options;
  if ((keepalive ?? userTimeoutMs ?? deferAcceptMs ?? fastOpen) === undefined) return true;
  const fd = descriptorOf(server);
  if (libc === undefined || fd === undefined) return false;
  setSocketOptions(libc, fd, options);
  return true;
}

export function setKeepalive(socket: Socket, keepalive: Keepalive, libc: Libc | undefined): void {
  const fd = descriptorOf(socket);
  if (libc === undefined || fd === undefined) socket.setKeepAlive(true, keepalive.idleMs);
  else setWith(libc, fd, keepalive);
}
