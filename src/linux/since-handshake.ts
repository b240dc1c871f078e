/**
 * How long ago a client has connected, by the kernel's own clock.
 *
 * Place: both engines ask for clients that have waited at a paused listener, in the kernel's queue.
 * How: of a connection over which nothing was sent, the kernel takes the handshake for the last sending
 * (`tcpi_last_data_sent`, tcp(7)), whatever the client has sent meanwhile. It counts in ticks of 1 to 10 ms.
 */
import { IPPROTO_TCP, TCP_INFO, TCP_INFO_LAST_DATA_SENT } from './abi.ts';
import type { Libc } from './libc.ts';

const info = Buffer.alloc(TCP_INFO_LAST_DATA_SENT + 4);
const length = Buffer.alloc(4);

/** In milliseconds; undefined where the system does not say. */
export function sinceHandshake(libc: Pick<Libc, 'getsockopt'>, fd: number): number | undefined {
  length.writeUInt32LE(info.length);
  const failed = libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, length) < 0;
  if (failed || length.readUInt32LE(0) < info.length) return undefined;
  return info.readUInt32LE(TCP_INFO_LAST_DATA_SENT);
}
