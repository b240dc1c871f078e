/**
 * Whether a parked backend connection was dead before it got a byte, so that the session may start over.
 *
 * Place: kept by a relay over a warm or reused connection, from its start until the backend's first byte.
 * Proof: nothing came back, the backend's system has acknowledged none of this relay's bytes (`tcpi_bytes_acked`
 * stands where it stood), and its socket is gone for good: it has reset the connection.
 * - A FIN before the reset carries an acknowledgement number: the socket was closed without our bytes.
 * - A reset alone is no such proof: on a connection that has served before, a Linux receiver delays its
 *   acknowledgement by up to 40 ms, so that a program can have read a request, then died (measured, ADR 0007).
 *   On a connection never used, the first bytes are acknowledged before the program can see them.
 * Invariant: at most `REPLAY_LIMIT_BYTES` are kept; a client that sends more is past replaying.
 */
import * as abi from './abi.ts';
import type { EpollConnection } from './epoll-connection.ts';
import type { Libc } from './libc.ts';

/** What a client may have sent and still be replayed. */
export const REPLAY_LIMIT_BYTES = 64 * 1024;
/** The SYN counts as one acknowledged byte. */
const NEVER_USED = 1;

export class Replay {
  readonly #libc: Libc;
  readonly #backend: EpollConnection;
  readonly #ackedBefore: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #begun = false;

  constructor(libc: Libc, backend: EpollConnection) {
    this.#libc = libc;
    this.#backend = backend;
    this.#ackedBefore = ackedBytes(libc, backend.fd);
  }

  /** Keeps what is about to be sent; false when it is too much to be replayed. */
  keep(bytes: Uint8Array): boolean {
    this.#bytes += bytes.length;
    if (this.#bytes > REPLAY_LIMIT_BYTES || this.#ackedBefore < 0) return false;
    this.#chunks.push(Buffer.from(bytes));
    return true;
  }

  /** What the client has sent so far. */
  bytes(): Buffer | undefined {
    return this.#bytes === 0 ? undefined : Buffer.concat(this.#chunks);
  }

  /** What the backend had said or done before the session got it has been seen. */
  begin(): void {
    this.#begun = true;
  }

  /**
   * What the backend's end means, before it has said a word: 'stale' when the session may start over, 'alive'
   * when it must not, 'doubtful' when a reset or an acknowledgement is still to tell.
   */
  judge(how: 'end' | 'readFailed'): 'stale' | 'alive' | 'doubtful' {
    // An end that was there before the client spoke; one that comes later is the backend's own decision.
    if (this.#bytes === 0) return this.#begun ? 'alive' : 'stale';
    if (ackedBytes(this.#libc, this.#backend.fd) !== this.#ackedBefore) return 'alive';
    if (how === 'readFailed') return this.#ackedBefore <= NEVER_USED ? 'stale' : 'alive';
    // A FIN, and bytes of ours behind it: either its system resets them, or it reads on and acknowledges them.
    return this.#backend.broken ? 'stale' : 'doubtful';
  }
}

/** -1 where the system does not tell. */
function ackedBytes(libc: Libc, fd: number): number {
  const info = Buffer.alloc(abi.TCP_INFO_BYTES);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(info.length);
  const failed = libc.getsockopt(fd, abi.IPPROTO_TCP, abi.TCP_INFO, info, length) < 0;
  if (failed || length.readUInt32LE(0) < abi.TCP_INFO_BYTES) return -1;
  return Number(info.readBigUInt64LE(abi.TCP_INFO_BYTES_ACKED));
}
