/**
 * Opens a socket to an address, as a stream of Node's that is connecting.
 *
 * Place: for connections to backends, and for the checks that speak a protocol (HTTP, TLS) over a socket of Node's.
 * Why not `net.connect` alone: Node pads abstract names with NUL bytes, which makes them other names than those that
 * other programs use, so these are connected through the C library.
 */
import { connect, Socket, type OnReadOpts } from 'node:net';

import { isAbstract, type Address, type TcpAddress, type UnixAddress } from '../../support/address.ts';
import type { EarlyOptions, SocketOptions } from '../../support/socket.ts';
import { withNamedZone } from '../../support/zone.ts';
import * as abi from '../../linux/abi.ts';
import type { Libc } from '../../linux/libc.ts';
import { encodeAddress } from '../../linux/sockaddr.ts';
import { prepareSocket } from '../../linux/socket-options.ts';
import { systemError } from '../../linux/system-error.ts';

export interface SocketForm {
  readonly allowHalfOpen?: boolean;
  readonly onread?: OnReadOpts;
}

/** What Node sets, or has to find on the socket. */
export interface OpenOptions extends Pick<SocketOptions, 'noDelay' | 'early'> {
  /** The address that it comes from; absent: the system chooses. */
  readonly from?: TcpAddress | undefined;
}

/** 'connect' or 'error' follows, but not before `openSocket` has returned. */
export function openSocket(
  address: Address,
  libc: Libc | undefined,
  form: SocketForm = {},
  { noDelay, early, from }: OpenOptions = {},
): Socket {
  if (address.kind === 'unix') {
    return isAbstract(address) ? openAbstract(address, libc, form) : connect({ ...form, path: address.path });
  }
  const { host, port } = address;
  // Happy eyeballs give up on an address after 250 ms; there is only one address here.
  const target = { host: withNamedZone(host), port, noDelay: noDelay !== false, autoSelectFamily: false };
  const localAddress = from && withNamedZone(from.host);
  if (libc === undefined || early === undefined) return connect({ ...form, ...target, localAddress });
  const fd = prepared(libc, address, early, from);
  if (typeof fd !== 'number') return failing(fd);
  // Node's constructor accepts `manualStart` and `onread`, its types do not: nothing is read before it is connected.
  const options = { ...form, fd, manualStart: true };
  return new Socket(options).connect(target);
}

/** A socket of the address's family that has the options, or why there is none. */
function prepared(
  libc: Libc,
  address: TcpAddress,
  early: EarlyOptions,
  from: TcpAddress | undefined,
): number | Error {
  const { family } = encodeAddress(address);
  const type = abi.SOCK_STREAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC;
  const fd = libc.socket(family, type, early.mptcp === true ? abi.IPPROTO_MPTCP : 0);
  if (fd < 0) return systemError('socket', libc.errno());
  let call = 'setsockopt';
  let errno = prepareSocket(libc, fd, family, early);
  if (errno === 0 && from !== undefined) {
    const { bytes } = encodeAddress(from);
    call = 'bind';
    if (libc.bind(fd, bytes, bytes.length) < 0) errno = libc.errno();
  }
  if (errno === 0) return fd;
  libc.close(fd);
  return systemError(call, errno);
}

function openAbstract(address: UnixAddress, libc: Libc | undefined, form: SocketForm): Socket {
  if (libc === undefined) {
    const why = 'names in the abstract namespace need koffi, which cannot be loaded';
    return failing(Object.assign(new Error(why), { code: 'ENOTSUP' }));
  }
  const fd = libc.socket(abi.AF_UNIX, abi.SOCK_STREAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC, 0);
  if (fd < 0) return failing(systemError('socket', libc.errno()));
  const { bytes } = encodeAddress(address);
  // Over at once: where a unix socket would have to wait for room, connect fails (EAGAIN).
  if (libc.connect(fd, bytes, bytes.length) < 0) {
    const error = systemError('connect', libc.errno());
    libc.close(fd);
    return failing(error);
  }
  // Node's constructor accepts `pauseOnCreate` and `onread`, its types do not.
  const options = { ...form, fd, readable: true, writable: true, pauseOnCreate: form.onread !== undefined };
  const socket = new Socket(options);
  process.nextTick(() => {
    if (!socket.destroyed) socket.emit('connect');
  });
  return socket;
}

function failing(error: Error): Socket {
  const socket = new Socket();
  process.nextTick(() => socket.destroy(error));
  return socket;
}
