/**
 * A client of which nothing happens in turns of the loop: its connect is one system call, so that it can come between
 * any two steps of whatever is tested.
 *
 * Place: for tests of what becomes of clients that arrive at the worst moment. Over loopback the handshake is over when
 * the call returns, if the other side takes part in it at all.
 */
import type { Address } from '../../src/support/address.ts';
import * as abi from '../../src/linux/abi.ts';
import type { Libc } from '../../src/linux/libc.ts';
import { encodeAddress, portOf, SOCKADDR_BYTES } from '../../src/linux/sockaddr.ts';
import { errnoName } from '../../src/linux/system-error.ts';
import type { Teardown } from './teardown.ts';

export interface KernelClient {
  /** Its own port; 0 on a unix socket. */
  readonly port: number;
  /** What `connect` came to: '' or EINPROGRESS when it has begun. */
  readonly begun: string;
  /** 'connected', 'on its way', or the name of the error that ended it. */
  state(): string;
}

const ESTABLISHED = 1;
const SYN_SENT = 2;

export interface KernelClientOptions {
  /** It receives nothing: the handshake begins and does not end. */
  readonly isDeaf?: boolean;
}

export function kernelClient(
  t: Teardown,
  libc: Libc,
  address: Address,
  { isDeaf = false }: KernelClientOptions = {},
): KernelClient {
  const { family, bytes } = encodeAddress(address);
  const fd = libc.socket(family, abi.SOCK_STREAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC, 0);
  t.teardown(() => libc.close(fd));
  if (isDeaf) dropAll(libc, fd);
  const begun = libc.connect(fd, bytes, bytes.length) < 0 ? errnoName(libc.errno()) : '';
  const isUnix = address.kind === 'unix';
  return {
    port: isUnix ? 0 : ownPort(libc, fd),
    begun,
    state: () => (isUnix ? stateOfUnix(libc, fd, begun) : stateOfTcp(libc, fd)),
  };
}

/** Classic BPF of one instruction: of each segment 0 bytes are taken. */
function dropAll(libc: Libc, fd: number): void {
  const program = Buffer.alloc(8);
  program.writeUInt16LE(abi.BPF_RETURN, 0);
  const filter = Buffer.alloc(16);
  filter.writeUInt16LE(1, 0);
  filter.writeBigUInt64LE(libc.address(program), 8);
  if (libc.setsockopt(fd, abi.SOL_SOCKET, abi.SO_ATTACH_FILTER, filter, filter.length) < 0)
    throw new Error(`no filter: ${errnoName(libc.errno())}`);
}

function ownPort(libc: Libc, fd: number): number {
  const bytes = Buffer.alloc(SOCKADDR_BYTES);
  libc.getsockname(fd, bytes, lengthOf(bytes));
  return portOf(bytes);
}

function stateOfTcp(libc: Libc, fd: number): string {
  const info = Buffer.alloc(abi.TCP_INFO_BYTES);
  libc.getsockopt(fd, abi.IPPROTO_TCP, abi.TCP_INFO, info, lengthOf(info));
  const state = info.readUInt8(0);
  if (state === ESTABLISHED) return 'connected';
  return state === SYN_SENT ? 'on its way' : pendingError(libc, fd);
}

/** A unix socket whose listener has thrown it away reads an end or an error; one that waits reads nothing. */
function stateOfUnix(libc: Libc, fd: number, begun: string): string {
  if (begun !== '') return begun;
  const count = libc.recv(fd, Buffer.alloc(1), 1, 0);
  if (count >= 0) return 'ended';
  const code = errnoName(libc.errno());
  return code === 'EAGAIN' ? 'connected' : code;
}

function pendingError(libc: Libc, fd: number): string {
  const value = Buffer.alloc(4);
  libc.getsockopt(fd, abi.SOL_SOCKET, abi.SO_ERROR, value, lengthOf(value));
  const errno = value.readInt32LE(0);
  return errno === 0 ? 'ended' : errnoName(errno);
}

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return length;
}
