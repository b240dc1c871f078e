/**
 * Giving up a client's connection without an answer, as far as the kernel allows (tcp(7), ip(7)).
 *
 * Place: `Connection.drop` of both engines; the host asks at the start what can be had.
 * How: a socket in repair mode is closed without a segment, which takes CAP_NET_ADMIN. Without it the reset that closes
 * the connection is given one hop to live: it dies at the first router. HAProxy's `silent-drop` does the same.
 */
import * as abi from './abi.ts';
import type { Libc } from './libc.ts';
import { ON } from './listening-sockets.ts';

/** `full`: nothing is sent. `routed`: a reset that only the client's own network would see. */
export type Silence = 'full' | 'routed';

type Calls = Pick<Libc, 'setsockopt'>;

/** Makes the close of a TCP socket silent. After 'routed' it is to be reset. */
export function hush(libc: Calls, fd: number): Silence {
  if (libc.setsockopt(fd, abi.IPPROTO_TCP, abi.TCP_REPAIR, ON, ON.length) === 0) return 'full';
  // For a client that came by IPv4 to a socket of both families the first one counts.
  libc.setsockopt(fd, abi.IPPROTO_IP, abi.IP_TTL, ON, ON.length);
  libc.setsockopt(fd, abi.IPPROTO_IPV6, abi.IPV6_UNICAST_HOPS, ON, ON.length);
  return 'routed';
}

/** What this process may do. */
export function silenceOf(libc: Calls & Pick<Libc, 'socket' | 'close'>): Silence {
  const fd = libc.socket(abi.AF_INET, abi.SOCK_STREAM | abi.SOCK_CLOEXEC, 0);
  if (fd < 0) return 'routed';
  try {
    return hush(libc, fd);
  } finally {
    libc.close(fd);
  }
}
