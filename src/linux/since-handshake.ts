/**
 * How long ago a client has connected, by the kernel's own clock.
 *
 * Place: both engines ask for clients that have waited at a paused listener, in the kernel's queue.
 * How: of a connection over which nothing was sent, the kernel takes the handshake for the last sending
 * (`tcpi_last_data_sent`, tcp(7)), whatever the client has sent meanwhile. It counts in ticks of 1 to 10 ms.
 */
import { TCP_INFO_LAST_DATA_SENT } from './abi.ts';
import type { Libc } from './libc.ts';
import { tcpInfo } from './tcp-info.ts';

/** In milliseconds; undefined where the system does not say. */
export function sinceHandshake(libc: Pick<Libc, 'getsockopt'>, fd: number): number | undefined {
  return tcpInfo(libc, fd, TCP_INFO_LAST_DATA_SENT + 4)?.readUInt32LE(TCP_INFO_LAST_DATA_SENT);
}
