/**
 * What is asked of the kernel for TCP sockets (tcp(7), ip(7), ipv6(7), socket(7)): how it finds out that a peer has
 * vanished, whom it lets in, how it buffers, marks and routes.
 *
 * Place: used for listening sockets, as their clients inherit everything set here, and for connections to backends; by
 * the node engine, too, where there is the C library. Whether the system has an option is asked at the start
 * (host/socket-support.ts).
 * Where a kernel refuses an option, lb4 goes on without it: no session depends on it. The exceptions decide where
 * packets go, or whose address a socket has (`prepareSocket`): where they fail, the socket fails.
 */
import type { Address } from '../support/address.ts';
import type { EarlyOptions, Keepalive, SocketOptions } from '../support/socket.ts';
import * as abi from './abi.ts';
import type { Libc } from './libc.ts';
import { LISTEN_BACKLOG } from './listen-failure.ts';
import { tcpInfo } from './tcp-info.ts';

/** What can be set at any time. */
export function setSocketOptions(libc: Libc, fd: number, options: SocketOptions): void {
  const { keepalive, userTimeoutMs, deferAcceptMs, fastOpen } = options;
  if (keepalive !== undefined) setKeepalive(libc, fd, keepalive);
  if (userTimeoutMs !== undefined) setUserTimeout(libc, fd, userTimeoutMs);
  if (deferAcceptMs !== undefined) setDeferAccept(libc, fd, deferAcceptMs);
  if (fastOpen !== undefined) setInteger(libc, fd, abi.IPPROTO_TCP, abi.TCP_FASTOPEN, fastOpen);
}

/**
 * What has to be set before a socket is bound or connected.
 * @returns 0, or the errno of an option that the socket must not be without
 */
export function prepareSocket(libc: Libc, fd: number, family: number, early: EarlyOptions): number {
  const { sendBufferBytes, receiveBufferBytes, dscp, freebind, source } = early;
  if (sendBufferBytes !== undefined) setInteger(libc, fd, abi.SOL_SOCKET, abi.SO_SNDBUF, sendBufferBytes);
  if (receiveBufferBytes !== undefined)
    setInteger(libc, fd, abi.SOL_SOCKET, abi.SO_RCVBUF, receiveBufferBytes);
  if (dscp !== undefined) setDscp(libc, fd, family, dscp);
  if (early.interface !== undefined && setInterface(libc, fd, early.interface) < 0) return libc.errno();
  if (freebind === true && setFreebind(libc, fd, family) < 0) return libc.errno();
  if (source === undefined) return 0;
  // Else each source would have its ports for all targets together.
  setInteger(libc, fd, abi.IPPROTO_IP, abi.IP_BIND_ADDRESS_NO_PORT, 1);
  // Else connect takes ports of one parity first (Linux 6.8 and later): when half of all are in use, it looks at every
  // one of these each time before it takes another. 18,500 of them take 5 ms, in which the thread does nothing else.
  setInteger(libc, fd, abi.IPPROTO_IP, abi.IP_LOCAL_PORT_RANGE, abi.ANY_LOCAL_PORT);
  return source === 'client' && setTransparent(libc, fd, family) < 0 ? libc.errno() : 0;
}

/**
 * For a listening socket that may have had other options before: those that are not asked for any more are switched
 * off. Clients that it has let in keep what they have.
 * @param before undefined: not known
 */
export function replaceSocketOptions(
  libc: Libc,
  fd: number,
  options: SocketOptions,
  before: SocketOptions | undefined,
): void {
  setInteger(libc, fd, abi.SOL_SOCKET, abi.SO_KEEPALIVE, 0);
  setUserTimeout(libc, fd, 0);
  setDeferAccept(libc, fd, 0);
  setSocketOptions(libc, fd, options);
  setInteger(libc, fd, abi.IPPROTO_TCP, abi.TCP_NODELAY, options.noDelay === false ? 0 : 1);
  if (differ('fastOpen') && options.fastOpen === undefined)
    setInteger(libc, fd, abi.IPPROTO_TCP, abi.TCP_FASTOPEN, 0);
  if (differ('backlog')) libc.listen(fd, options.backlog ?? LISTEN_BACKLOG);
  replaceEarly(libc, fd, options.early ?? {}, before === undefined ? undefined : (before.early ?? {}));

  function differ(key: 'fastOpen' | 'backlog'): boolean {
    return before === undefined || before[key] !== options[key];
  }
}

/** As far as a bound socket takes them. */
function replaceEarly(libc: Libc, fd: number, early: EarlyOptions, before: EarlyOptions | undefined): void {
  const isNew = (key: keyof EarlyOptions): boolean => before === undefined || before[key] !== early[key];
  if (isNew('dscp')) setDscp(libc, fd, abi.AF_INET6, early.dscp ?? 0);
  if (isNew('interface')) setInterface(libc, fd, early.interface ?? '');
  if (isNew('sendBufferBytes'))
    replaceBuffer(libc, fd, { option: abi.SO_SNDBUF, lock: abi.SOCK_SNDBUF_LOCK }, early.sendBufferBytes);
  if (isNew('receiveBufferBytes'))
    replaceBuffer(libc, fd, { option: abi.SO_RCVBUF, lock: abi.SOCK_RCVBUF_LOCK }, early.receiveBufferBytes);
}

/** Without a size the buffer gets that of a new socket, and grows by itself again. */
function replaceBuffer(
  libc: Libc,
  fd: number,
  { option, lock }: { readonly option: number; readonly lock: number },
  bytes: number | undefined,
): void {
  if (bytes !== undefined) {
    setInteger(libc, fd, abi.SOL_SOCKET, option, bytes);
    return;
  }
  const locks = getInteger(libc, fd, abi.SOL_SOCKET, abi.SO_BUF_LOCK);
  if (locks === undefined || (locks & lock) === 0) return;
  const fresh = libc.socket(abi.AF_INET, abi.SOCK_STREAM | abi.SOCK_CLOEXEC, 0);
  const size = fresh < 0 ? undefined : getInteger(libc, fresh, abi.SOL_SOCKET, option);
  if (fresh >= 0) libc.close(fresh);
  // The kernel doubles what it is given.
  if (size !== undefined) setInteger(libc, fd, abi.SOL_SOCKET, option, size / 2);
  setInteger(libc, fd, abi.SOL_SOCKET, abi.SO_BUF_LOCK, locks & ~lock);
}

/** How many clients may wait at a listening socket; undefined where the system does not say, as for a unix socket. */
export function backlogOf(libc: Libc, fd: number, kind: Address['kind']): number | undefined {
  return kind === 'unix'
    ? undefined
    : tcpInfo(libc, fd, abi.TCP_INFO_BYTES)?.readUInt32LE(abi.TCP_INFO_BACKLOG);
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

/** An IPv6 socket may have IPv4 peers, too, whose packets have the class that is set for IPv4. */
function setDscp(libc: Libc, fd: number, family: number, dscp: number): void {
  // The two bits below it are the kernel's own (ECN).
  const byte = dscp << 2;
  setInteger(libc, fd, abi.IPPROTO_IP, abi.IP_TOS, byte);
  if (family === abi.AF_INET6) setInteger(libc, fd, abi.IPPROTO_IPV6, abi.IPV6_TCLASS, byte);
}

/** '': none. */
export function setInterface(libc: Libc, fd: number, name: string): number {
  const bytes = Buffer.from(name);
  return libc.setsockopt(fd, abi.SOL_SOCKET, abi.SO_BINDTODEVICE, bytes, bytes.length);
}

export function setFreebind(libc: Libc, fd: number, family: number): number {
  return family === abi.AF_INET6
    ? setInteger(libc, fd, abi.IPPROTO_IPV6, abi.IPV6_FREEBIND, 1)
    : setInteger(libc, fd, abi.IPPROTO_IP, abi.IP_FREEBIND, 1);
}

/** It may have an address of another machine. */
export function setTransparent(libc: Libc, fd: number, family: number): number {
  return family === abi.AF_INET6
    ? setInteger(libc, fd, abi.IPPROTO_IPV6, abi.IPV6_TRANSPARENT, 1)
    : setInteger(libc, fd, abi.IPPROTO_IP, abi.IP_TRANSPARENT, 1);
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}

export function setInteger(libc: Libc, fd: number, level: number, option: number, value: number): number {
  integer.writeInt32LE(value);
  return libc.setsockopt(fd, level, option, integer, integer.length);
}

function getInteger(libc: Libc, fd: number, level: number, option: number): number | undefined {
  length.writeUInt32LE(integer.length);
  return libc.getsockopt(fd, level, option, integer, length) < 0 ? undefined : integer.readInt32LE();
}

const integer = Buffer.alloc(4);
const length = Buffer.alloc(4);
