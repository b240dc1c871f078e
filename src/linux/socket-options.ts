/**
 * How the kernel is made to find out that a peer has vanished, and to keep back clients that say nothing (tcp(7)).
 *
 * Place: used for listening sockets, as their clients inherit everything set here, and for connections to backends; by
 * the node engine, too, where there is the C library.
 * Where a kernel refuses an option, as sandboxed ones may, lb4 goes on without it: no session depends on it.
 */
import type { Keepalive, SocketOptions } from '../support/socket.ts';
import * as abi from './abi.ts';
import type { Libc } from './libc.ts';

export function setSocketOptions(libc: Libc, fd: number, options: SocketOptions): void {
  const { keepalive, userTimeoutMs, deferAcceptMs } = options;
  if (keepalive !== undefined) setKeepalive(libc, fd, keepalive);
  if (userTimeoutMs !== undefined) setUserTimeout(libc, fd, userTimeoutMs);
  if (deferAcceptMs !== undefined) setDeferAccept(libc, fd, deferAcceptMs);
}

/** The same for a socket that had other options before: those not asked for any more are switched off. */
export function replaceSocketOptions(libc: Libc, fd: number, options: SocketOptions): void {
  setInteger(libc, fd, abi.SOL_SOCKET, abi.SO_KEEPALIVE, 0);
  setUserTimeout(libc, fd, 0);
  setDeferAccept(libc, fd, 0);
  setSocketOptions(libc, fd, options);
}

export function setKeepalive(libc: Libc, fd: number, { idleMs, intervalMs, count }: Keepalive): void {
  setInteger(libc, fd, abi.SOL_SOCKET, abi.SO_KEEPALIVE, 1);
  setInteger(libc, fd, abi.IPPROTO_TCP, abi.TCP_KEEPINTVL, seconds(intervalMs));
  setInteger(libc, fd, abi.IPPROTO_TCP, abi.TCP_KEEPCNT, count);
  // Last: it starts the clock, which counts from the peer's last segment.
  setInteger(libc, fd, abi.IPPROTO_TCP, abi.TCP_KEEPIDLE, seconds(idleMs));
}

export function setUserTimeout(libc: Libc, fd: number, ms: number): void {
  setInteger(libc, fd, abi.IPPROTO_TCP, abi.TCP_USER_TIMEOUT, ms);
}

function setDeferAccept(libc: Libc, fd: number, ms: number): void {
  setInteger(libc, fd, abi.IPPROTO_TCP, abi.TCP_DEFER_ACCEPT, seconds(ms));
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}

function setInteger(libc: Libc, fd: number, level: number, option: number, value: number): void {
  integer.writeInt32LE(value);
  libc.setsockopt(fd, level, option, integer, integer.length);
}

const integer = Buffer.alloc(4);
