/**
 * Last words with their FIN, and the TCP segments that a peer has received: what leaves a balancer together.
 *
 * Place: for tests of the FIN that rides on the last bytes. Linux with koffi only.
 */
import { IPPROTO_TCP, MSG_MORE, SHUT_WR, TCP_INFO } from '../../src/linux/abi.ts';
import type { Libc } from '../../src/linux/libc.ts';
import type { Peer } from './peer.ts';
import { descriptorOf } from './segments.ts';

/** `tcpi_segs_in` of struct tcp_info (linux/tcp.h). */
const SEGS_IN_AT = 140;

/** Last words and FIN in one segment: nothing is read between the two. */
export function sayAndEnd(libc: Libc, peer: Peer, text: string): void {
  const fd = descriptorOf(peer.socket);
  const bytes = Buffer.from(text);
  libc.send(fd, bytes, bytes.length, MSG_MORE);
  libc.shutdown(fd, SHUT_WR);
}

/** TCP segments that have come in at this peer. */
export function segmentsIn(libc: Libc, peer: Peer): number {
  const info = Buffer.alloc(256);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(info.length);
  libc.getsockopt(descriptorOf(peer.socket), IPPROTO_TCP, TCP_INFO, info, length);
  return info.readUInt32LE(SEGS_IN_AT);
}
