/**
 * What the kernel knows of a TCP connection: `struct tcp_info` (tcp(7), uapi/linux/tcp.h).
 *
 * Place: abi.ts has the offsets of what is read from it.
 */
import { IPPROTO_TCP, TCP_INFO, TCP_INFO_BYTES } from './abi.ts';
import type { Libc } from './libc.ts';

const info = Buffer.alloc(TCP_INFO_BYTES);
const length = Buffer.alloc(4);

/** Its first `bytes`, which the next call overwrites; undefined where the system does not give as many. */
export function tcpInfo(libc: Pick<Libc, 'getsockopt'>, fd: number, bytes: number): Buffer | undefined {
  length.writeUInt32LE(bytes);
  const failed = libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, length) < 0;
  return failed || length.readUInt32LE(0) < bytes ? undefined : info;
}
