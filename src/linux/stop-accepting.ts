/**
 * How a listening socket stops taking clients without losing one that it has let in.
 *
 * Place: used by the listeners of both engines when they close, and by control for the sockets of its workers.
 * Why: closing a listening socket resets every client that is in its queue. Emptying the queue first is not enough:
 * a client that connects between the last accept and the close is reset as well.
 * How: a unix socket that is shut down for reading refuses new clients and keeps its queue (unix(7)). A TCP socket
 * has no such state; it gets a filter that drops what would begin a connection and lets everything else through. The
 * client's system sends its SYN again after a second and then finds the port closed. The filter needs no privilege
 * (socket(7), SO_ATTACH_FILTER), and holds for every descriptor of the socket.
 * Limit: with SYN cookies there is no record of a client that has been answered and has not yet come in.
 */
import type { Address, TcpAddress } from '../support/address.ts';
import * as abi from './abi.ts';
import type { Libc } from './libc.ts';
import { eachSocket } from './sock-diag.ts';

/** From now on no new client is let in; those in the queue, or whose handshake has begun, can still be accepted. */
export function refuseNewClients(libc: Libc, fd: number, kind: Address['kind']): void {
  if (kind === 'unix') {
    libc.shutdown(fd, abi.SHUT_RD);
  } else if (libc.setsockopt(fd, abi.SOL_SOCKET, abi.SO_ATTACH_FILTER, dropSyn(libc), SOCK_FPROG_BYTES) < 0) {
    // A queue of length 0: the kernel lets one client in and drops what comes after it.
    libc.listen(fd, 0);
  }
}

/**
 * Whether a handshake with the port of this listener has begun and not ended: its client may take the connection for
 * established. False where the system does not report it (no NETLINK_SOCK_DIAG).
 * The kernel walks all its TCP sockets for it, those in TIME_WAIT as well: 2 ms where it has 30,000. It counts a
 * handshake to the family of the listener, also that of an IPv4 client with a listener on `::`. So one walk is enough.
 */
export function isHandshakeUnderWay(libc: Libc, { host, port }: TcpAddress): boolean {
  const family = host.includes(':') ? abi.AF_INET6 : abi.AF_INET;
  let isFound = false;
  eachSocket(libc, { family, states: 1 << abi.TCP_SYN_RECV, localPort: port }, () => {
    isFound = true;
    return false;
  });
  return isFound;
}

const SOCK_FPROG_BYTES = 16;
const TCP_FLAGS_AT = 13;
const SYN = 0x02;
const SYN_AND_ACK = 0x12;

/** Classic BPF over the TCP header: 0 for a segment with SYN and without ACK, all of it for every other. */
const DROP_SYN: Uint8Array = Buffer.concat([
  instruction(abi.BPF_LD_BYTE, TCP_FLAGS_AT),
  instruction(abi.BPF_AND, SYN_AND_ACK),
  instruction(abi.BPF_JUMP_EQUAL, SYN, { yes: 0, no: 1 }),
  instruction(abi.BPF_RETURN, 0),
  instruction(abi.BPF_RETURN, 0xffffffff),
]);

/** `struct sock_filter`. */
function instruction(code: number, value: number, jump = { yes: 0, no: 0 }): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(jump.yes, 2);
  bytes.writeUInt8(jump.no, 3);
  bytes.writeUInt32LE(value, 4);
  return bytes;
}

/** `struct sock_fprog`: the number of instructions, and their address. */
function dropSyn(libc: Libc): Uint8Array {
  const bytes = Buffer.alloc(SOCK_FPROG_BYTES);
  bytes.writeUInt16LE(DROP_SYN.length / 8, 0);
  bytes.writeBigUInt64LE(libc.address(DROP_SYN), 8);
  return bytes;
}
