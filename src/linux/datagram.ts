/**
 * One datagram to a unix socket: Node has none (`dgram` knows UDP only).
 *
 * Place: how the command line speaks to the service manager.
 */
import type { UnixAddress } from '../support/address.ts';
import * as abi from './abi.ts';
import type { Libc } from './libc.ts';
import { encodeAddress } from './sockaddr.ts';
import { errnoName } from './system-error.ts';

/**
 * Sends the text whole or not at all, without waiting; undefined: sent, else the name of the error. EAGAIN: the
 * receiver's queue is full. Throws a RangeError for an address that is too long for the system.
 */
export function sendDatagram(libc: Libc, to: UnixAddress, text: string): string | undefined {
  const { family, bytes } = encodeAddress(to);
  const fd = libc.socket(family, abi.SOCK_DGRAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC, 0);
  if (fd < 0) return errnoName(libc.errno());
  try {
    if (libc.connect(fd, bytes, bytes.length) < 0) return errnoName(libc.errno());
    const body = Buffer.from(text);
    if (libc.send(fd, body, body.length, abi.MSG_NOSIGNAL) < 0) return errnoName(libc.errno());
    return undefined;
  } finally {
    libc.close(fd);
  }
}
