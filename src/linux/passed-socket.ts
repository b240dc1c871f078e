/**
 * A descriptor that another program has opened for lb4: what it is, and what it needs.
 *
 * Place: socket activation. Descriptors come with nothing but a number.
 */
import type { SocketOptions } from '../support/socket.ts';
import type { Address } from '../support/address.ts';
import * as abi from './abi.ts';
import type { Libc } from './libc.ts';
import { check, keepFromChildren, ON } from './listening-sockets.ts';
import { decodeAddress, SOCKADDR_BYTES } from './sockaddr.ts';
import { replaceSocketOptions } from './socket-options.ts';

export interface PassedAddress {
  readonly address: Address;
  /** `[::]` that takes IPv4 clients, too. */
  readonly isDualStack: boolean;
}

export type Described =
  { readonly ok: true; readonly socket: PassedAddress } | { readonly ok: false; readonly reason: string };

export function describePassedSocket(libc: Libc, fd: number): Described {
  const type = numericOption(libc, fd, abi.SOL_SOCKET, abi.SO_TYPE);
  if (type === undefined) return { ok: false, reason: 'it is no socket' };
  if (type !== abi.SOCK_STREAM) return { ok: false, reason: 'it is no stream socket (ListenStream=)' };
  if (numericOption(libc, fd, abi.SOL_SOCKET, abi.SO_ACCEPTCONN) !== 1) {
    return { ok: false, reason: 'it does not listen (Accept= must be no)' };
  }
  const bytes = Buffer.alloc(SOCKADDR_BYTES);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  const address =
    libc.getsockname(fd, bytes, length) < 0 ? undefined : decodeAddress(bytes, length.readUInt32LE());
  if (address === undefined) return { ok: false, reason: 'it has neither a TCP nor a unix address' };
  const isAny = address.kind === 'tcp' && address.host === '::';
  const isDualStack = isAny && numericOption(libc, fd, abi.IPPROTO_IPV6, abi.IPV6_V6ONLY) === 0;
  return { ok: true, socket: { address, isDualStack } };
}

/**
 * Makes it what the sockets are that lb4 opens itself: non-blocking, not for children, its clients without delay.
 * @param options absent: they are set later
 */
export function adaptPassedSocket(libc: Libc, fd: number, address: Address, options?: SocketOptions): void {
  keepFromChildren(libc, fd);
  const flags = check(libc, 'fcntl', libc.fcntl(fd, abi.F_GETFL, 0));
  check(libc, 'fcntl', libc.fcntl(fd, abi.F_SETFL, flags | abi.O_NONBLOCK));
  if (address.kind !== 'tcp') return;
  check(libc, 'setsockopt', libc.setsockopt(fd, abi.IPPROTO_TCP, abi.TCP_NODELAY, ON, ON.length));
  if (options !== undefined) replaceSocketOptions(libc, fd, options, {});
}

function numericOption(libc: Libc, fd: number, level: number, option: number): number | undefined {
  const value = Buffer.alloc(4);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  return libc.getsockopt(fd, level, option, value, length) < 0 ? undefined : value.readInt32LE();
}
