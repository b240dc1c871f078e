/**
 * The kernel's table of TCP sockets, asked over netlink (sock_diag(7), uapi/linux/inet_diag.h): all that are in some
 * states and have a port.
 *
 * Place: stop-accepting.ts looks for handshakes, source-port-use.ts counts source ports. It needs no privilege, and sees
 * the sockets of every process in the network namespace. The kernel walks all its TCP sockets for it, those in
 * TIME_WAIT as well: 2 ms where it has 30,000.
 */
import * as abi from './abi.ts';
import type { Libc } from './libc.ts';

export interface SocketQuery {
  readonly family: number;
  /** One bit for each state. */
  readonly states: number;
  /** Of this end, or of the other one; 0: any. */
  readonly localPort?: number;
  readonly peerPort?: number;
}

const NLMSG_HEADER_BYTES = 16;
const REQUEST_BYTES = NLMSG_HEADER_BYTES + 56;
const ANSWER_BYTES = 32 * 1024;
/** Where a socket's message has what, behind the header. */
const STATE_AT = NLMSG_HEADER_BYTES + 1;
const PEER_PORT_AT = NLMSG_HEADER_BYTES + 6;
const LOCAL_AT = NLMSG_HEADER_BYTES + 8;
const PEER_AT = NLMSG_HEADER_BYTES + 24;

/** One socket: bytes of a larger buffer, good until the visit returns. */
export interface SocketMessage {
  readonly state: number;
  /** 4 or 16 bytes. */
  readonly local: Buffer;
  readonly peer: Buffer;
  readonly peerPort: number;
}

export type Visit = (socket: SocketMessage) => boolean;

/**
 * Calls `visit` for each socket that matches, until it returns false. False where the system does not report them (no
 * NETLINK_SOCK_DIAG).
 */
export function eachSocket(libc: Libc, query: SocketQuery, visit: Visit): boolean {
  const table = new SocketTable(libc, query);
  try {
    for (;;) {
      const next = table.next(visit);
      if (next !== 'more') return next === 'done';
    }
  } finally {
    table.close();
  }
}

/** The same in pieces, for those who have other things to do. To be closed. */
export class SocketTable {
  readonly #libc: Libc;
  readonly #query: SocketQuery;
  readonly #fd: number;
  readonly #answer = Buffer.alloc(ANSWER_BYTES);
  #isAsked = false;

  constructor(libc: Libc, query: SocketQuery) {
    this.#libc = libc;
    this.#query = query;
    const type = abi.SOCK_DGRAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC;
    this.#fd = libc.socket(abi.AF_NETLINK, type, abi.NETLINK_SOCK_DIAG);
  }

  /** The next few hundred sockets. */
  next(visit: Visit): 'more' | 'done' | 'failed' {
    if (this.#fd < 0) return 'failed';
    if (!this.#isAsked) {
      this.#isAsked = true;
      const bytes = request(this.#query);
      if (this.#libc.send(this.#fd, bytes, bytes.length, 0) < 0) return 'failed';
    }
    // The kernel has the next piece ready before it hands one over.
    const count = this.#libc.recv(this.#fd, this.#answer, ANSWER_BYTES, 0);
    if (count < NLMSG_HEADER_BYTES) return 'failed';
    return readPiece(this.#answer.subarray(0, count), this.#query.family, visit);
  }

  close(): void {
    if (this.#fd >= 0) this.#libc.close(this.#fd);
  }
}

/** Sockets that were found come first, DONE or an error last. */
function readPiece(piece: Buffer, family: number, visit: Visit): 'more' | 'done' | 'failed' {
  const addressBytes = family === abi.AF_INET6 ? 16 : 4;
  for (let at = 0; at + NLMSG_HEADER_BYTES <= piece.length;) {
    const length = piece.readUInt32LE(at);
    const type = piece.readUInt16LE(at + 4);
    if (type === abi.NLMSG_DONE) return 'done';
    if (type !== abi.SOCK_DIAG_BY_FAMILY || length < NLMSG_HEADER_BYTES) return 'failed';
    const goesOn = visit({
      state: piece.readUInt8(at + STATE_AT),
      peerPort: piece.readUInt16BE(at + PEER_PORT_AT),
      local: piece.subarray(at + LOCAL_AT, at + LOCAL_AT + addressBytes),
      peer: piece.subarray(at + PEER_AT, at + PEER_AT + addressBytes),
    });
    if (!goesOn) return 'done';
    // Messages begin at multiples of four bytes.
    at += (length + 3) & ~3;
  }
  return 'more';
}

function request({ family, states, localPort = 0, peerPort = 0 }: SocketQuery): Buffer {
  const bytes = Buffer.alloc(REQUEST_BYTES);
  bytes.writeUInt32LE(REQUEST_BYTES, 0);
  bytes.writeUInt16LE(abi.SOCK_DIAG_BY_FAMILY, 4);
  bytes.writeUInt16LE(abi.NLM_F_REQUEST | abi.NLM_F_DUMP, 6);
  bytes.writeUInt8(family, NLMSG_HEADER_BYTES);
  bytes.writeUInt8(abi.IPPROTO_TCP, NLMSG_HEADER_BYTES + 1);
  bytes.writeUInt32LE(states, NLMSG_HEADER_BYTES + 4);
  bytes.writeUInt16BE(localPort, NLMSG_HEADER_BYTES + 8);
  bytes.writeUInt16BE(peerPort, NLMSG_HEADER_BYTES + 10);
  return bytes;
}
