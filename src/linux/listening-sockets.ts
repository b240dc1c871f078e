/**
 * Listening sockets made by control for its workers: bound once, one per worker, kept by control.
 *
 * Place: bound when all workers are ready, before any of them lets clients in; each worker gets a duplicate. With
 * SO_REUSEPORT the kernel spreads clients over the sockets of an address; a unix address has one socket, from which
 * all workers accept. While control keeps its descriptors, no waiting client is lost when a worker dies.
 * Invariants:
 * - rejects with `Lb4Error` LB4_LISTEN_FAILED naming the address, with nothing left open;
 * - an address that another program listens on is refused, although SO_REUSEPORT would let the same user share it.
 */
import type { SocketOptions } from '../support/socket.ts';
import { systemCode } from '../errors.ts';
import {
  isAbstract,
  type Address,
  type ListenAddress,
  type ListenUnixAddress,
  type TcpAddress,
} from '../support/address.ts';
import { LISTEN_BACKLOG, listenFailure } from './listen-failure.ts';
import { expectAt, ownSocketFile, removeIfSame, removeStale, type SocketFile } from './socket-file.ts';
import * as abi from './abi.ts';
import type { Libc } from './libc.ts';
import { encodeAddress, portOf, SOCKADDR_BYTES } from './sockaddr.ts';
import { prepareSocket, setSocketOptions } from './socket-options.ts';
import { systemError } from './system-error.ts';

export interface ListeningSockets {
  /** The bound address, with the port the kernel chose when port 0 was asked for. */
  readonly address: Address;
  readonly fds: readonly number[];
  /** The file of a unix socket: to be removed when the sockets are closed, if it is still the same file. */
  readonly file?: SocketFile | undefined;
}

/**
 * Binds `count` listening sockets, non-blocking, to one address. `options` are for the clients' sockets.
 * @param sharing.mayShare this process itself listens on the port already, with sockets made here; default false
 */
export async function bindListeningSockets(
  libc: Libc,
  address: ListenAddress,
  count: number,
  options: SocketOptions = {},
  { mayShare = false }: { readonly mayShare?: boolean } = {},
): Promise<ListeningSockets> {
  try {
    if (address.kind === 'unix') return await bindUnix(libc, address, count, options);
    const bound = bindAnyFamily(libc, address, { asked: address, count, mayShare, options });
    // Accepted sockets inherit them: no call per session.
    for (const fd of bound.fds) setSocketOptions(libc, fd, options);
    return bound;
  } catch (error) {
    throw listenFailure(address, error);
  }
}

/** Another descriptor for the same socket. Throws when descriptors have run out. */
export function duplicate(libc: Libc, fd: number): number {
  return check(libc, 'dup', libc.fcntl(fd, abi.F_DUPFD_CLOEXEC, 0));
}

export function closeDescriptor(libc: Libc, fd: number): void {
  libc.close(fd);
}

/** No program that this process starts gets the descriptor. */
export function keepFromChildren(libc: Libc, fd: number): void {
  check(libc, 'fcntl', libc.fcntl(fd, abi.F_SETFD, abi.FD_CLOEXEC));
}

/** Closes a connection with a reset; other kinds of descriptors are just closed. */
export function resetDescriptor(libc: Libc, fd: number): void {
  makeCloseReset(libc, fd);
  libc.close(fd);
}

/** From now on closing the connection resets it; what the kernel has not sent is thrown away. */
export function makeCloseReset(libc: Libc, fd: number): void {
  libc.setsockopt(fd, abi.SOL_SOCKET, abi.SO_LINGER, LINGER_ZERO, LINGER_ZERO.length);
}

/** `struct linger { l_onoff = 1, l_linger = 0 }`: close becomes a reset (socket(7)). */
const LINGER_ZERO: Uint8Array = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
/** The int 1, as socket options take it. */
export const ON: Uint8Array = Buffer.from([1, 0, 0, 0]);
const OFF: Uint8Array = Buffer.from([0, 0, 0, 0]);

function bindAnyFamily(libc: Libc, address: TcpAddress, binding: Binding): ListeningSockets {
  const bind = (to: TcpAddress) => bindTcp(libc, to, binding);
  if (address.host !== '') return bind(address);
  try {
    return bind({ ...address, host: '::' });
  } catch (error) {
    // Only a machine without IPv6 falls back: any other failure must not narrow the listener silently.
    if (!['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(systemCode(error))) throw error;
    return bind({ ...address, host: '0.0.0.0' });
  }
}

interface Binding {
  readonly asked: TcpAddress;
  readonly count: number;
  readonly mayShare: boolean;
  readonly options: SocketOptions;
}

function bindTcp(libc: Libc, address: TcpAddress, binding: Binding): ListeningSockets {
  const { count, mayShare, options } = binding;
  const { backlog = LISTEN_BACKLOG } = options;
  const fds: number[] = [];
  try {
    // Unless `mayShare`, the first socket is bound without SO_REUSEPORT, so that the kernel refuses an address that
    // another program holds; only then are the others let in beside it.
    const first = openTcp(libc, address, binding, fds, mayShare ? allowSharing : undefined);
    const bound = { ...address, port: boundPort(libc, first) };
    allowSharing(libc, first);
    while (fds.length < count) {
      const fd = openTcp(libc, bound, binding, fds, allowSharing);
      check(libc, 'listen', libc.listen(fd, backlog));
    }
    // The first socket listens last: a port that another program has bound meanwhile shows here.
    check(libc, 'listen', libc.listen(first, backlog));
    return { address: bound, fds };
  } catch (error) {
    for (const fd of fds) libc.close(fd);
    throw error;
  }
}

function openTcp(
  libc: Libc,
  address: TcpAddress,
  { asked, options: { noDelay, early } }: Binding,
  fds: number[],
  prepare?: (libc: Libc, fd: number) => void,
): number {
  const { family, bytes } = encodeAddress(address);
  const fd = openSocket(libc, family, early?.mptcp === true ? abi.IPPROTO_MPTCP : 0);
  fds.push(fd);
  setOption(libc, fd, abi.SOL_SOCKET, abi.SO_REUSEADDR, ON);
  // Accepted sockets inherit it: one call less per session.
  if (noDelay !== false) setOption(libc, fd, abi.IPPROTO_TCP, abi.TCP_NODELAY, ON);
  if (family === abi.AF_INET6) {
    setOption(libc, fd, abi.IPPROTO_IPV6, abi.IPV6_V6ONLY, asked.host === '' ? OFF : ON);
  }
  const errno = early === undefined ? 0 : prepareSocket(libc, fd, family, early);
  if (errno !== 0) throw systemError('setsockopt', errno);
  prepare?.(libc, fd);
  check(libc, 'bind', libc.bind(fd, bytes, bytes.length));
  return fd;
}

function allowSharing(libc: Libc, fd: number): void {
  setOption(libc, fd, abi.SOL_SOCKET, abi.SO_REUSEPORT, ON);
}

async function bindUnix(
  libc: Libc,
  address: ListenUnixAddress,
  count: number,
  { backlog = LISTEN_BACKLOG }: SocketOptions,
): Promise<ListeningSockets> {
  const { family, bytes } = encodeAddress(address);
  const fds = [openSocket(libc, family)];
  const [first = -1] = fds;
  let file: SocketFile | undefined;
  try {
    if (libc.bind(first, bytes, bytes.length) < 0) {
      const error = systemError('bind', libc.errno());
      const isTaken = systemCode(error) === 'EADDRINUSE';
      if (!isTaken || isAbstract(address) || !(await removeStale(address.path))) throw error;
      check(libc, 'bind', libc.bind(first, bytes, bytes.length));
    }
    if (!isAbstract(address)) file = ownSocketFile(address);
    check(libc, 'listen', libc.listen(first, backlog));
    expectAt(file);
    while (fds.length < count) fds.push(duplicate(libc, first));
    return { address, fds, file };
  } catch (error) {
    if (file !== undefined) removeIfSame(file);
    for (const fd of fds) libc.close(fd);
    throw error;
  }
}

function openSocket(libc: Libc, family: number, protocol = 0): number {
  const type = abi.SOCK_STREAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC;
  return check(libc, 'socket', libc.socket(family, type, protocol));
}

function boundPort(libc: Libc, fd: number): number {
  const bytes = Buffer.alloc(SOCKADDR_BYTES);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  check(libc, 'getsockname', libc.getsockname(fd, bytes, length));
  return portOf(bytes);
}

function setOption(libc: Libc, fd: number, level: number, option: number, value: Uint8Array): void {
  check(libc, 'setsockopt', libc.setsockopt(fd, level, option, value, value.length));
}

/** Throws what a call has failed with. */
export function check(libc: Libc, call: string, result: number): number {
  if (result < 0) throw systemError(call, libc.errno());
  return result;
}
