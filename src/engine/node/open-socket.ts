/**
 * Opens a socket to an address, as a stream of Node's that is connecting.
 *
 * Place: for connections to backends, and for the checks that speak a protocol (HTTP, TLS) over a socket of Node's.
 * Why not `net.connect` alone: Node pads abstract names with NUL bytes, which makes them other names than those that
 * other programs use, so these are connected through the C library.
 */
import { connect, Socket, type OnReadOpts } from 'node:net';

import { isAbstract, type Address, type UnixAddress } from '../../support/address.ts';
import { withNamedZone } from '../../support/zone.ts';
import * as abi from '../../linux/abi.ts';
import type { Libc } from '../../linux/libc.ts';
import { encodeAddress } from '../../linux/sockaddr.ts';
import { systemError } from '../../linux/system-error.ts';

export interface SocketForm {
  readonly allowHalfOpen?: boolean;
  readonly onread?: OnReadOpts;
}

/** 'connect' or 'error' follows, but not before `openSocket` has returned. */
export function openSocket(address: Address, libc: Libc | undefined, form: SocketForm = {}): Socket {
  if (address.kind === 'unix') {
    return isAbstract(address) ? openAbstract(address, libc, form) : connect({ ...form, path: address.path });
  }
  const { host, port } = address;
  // Happy eyeballs give up on an address after 250 ms; there is only one address here.
  return connect({ ...form, host: withNamedZone(host), port, noDelay: true, autoSelectFamily: false });
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
