/**
 * Whether a parked backend connection was dead before it got a byte, so that the session may start over.
 *
 * Place: kept by a relay over a warm or reused connection, from its start until the backend's first byte.
 * Proof: nothing came back, the backend's system has acknowledged none of this relay's bytes (`tcpi_bytes_acked`
 * has not changed), and it had sent its FIN before it reset them. A program that has closed a socket reads nothing
 * from it any more, and one that has shut down its own side could not have answered.
 * A reset without a FIN before it is no proof: a Linux receiver may delay its acknowledgement by 40 ms and more,
 * so that a program can have read a request, then died. Unacknowledged were, of 100 such requests: 99 on a
 * connection that had served before; on one never used 0, but 100 with TCP_QUICKACK off at the backend, and an
 * acknowledgement can be lost. A timeout is no proof either.
 * Limit: a backend that shuts down its writing, still reads and resets within that delay looks dead
 * (100 of 100 on a connection that had served before).
 * Invariant: at most `REPLAY_LIMIT_BYTES` are kept; a client that sends more is past replaying.
 */
import { TCP_INFO_BYTES, TCP_INFO_BYTES_ACKED } from '../../linux/abi.ts';
import type { EpollConnection } from './epoll-connection.ts';
import type { Libc } from '../../linux/libc.ts';
import { ECONNRESET, EPIPE } from '../../linux/system-error.ts';
import { tcpInfo } from '../../linux/tcp-info.ts';

/** What a client may have sent and still be replayed. */
export const REPLAY_LIMIT_BYTES = 64 * 1024;

export class Replay {
  readonly #libc: Libc;
  readonly #backend: EpollConnection;
  readonly #ackedBefore: number;
  readonly #prefaceBytes: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #begun = false;
  /** The backend's FIN has been read while its connection was sound. */
  #finSeen = false;

  /** `prefaceBytes`: sent before those of the client, and sent again by each relay. */
  constructor(libc: Libc, backend: EpollConnection, prefaceBytes: number) {
    this.#libc = libc;
    this.#backend = backend;
    this.#prefaceBytes = prefaceBytes;
    this.#ackedBefore = ackedBytes(libc, backend.fd);
  }

  /** Keeps what is about to be sent; false when there is too much to be replayed. */
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

  /** What the backend had sent or done before the session got it has been seen. */
  begin(): void {
    this.#begun = true;
  }

  /**
   * What the backend's end means, before it has sent a byte: 'stale' when the session may start over, 'alive' when it
   * must not, 'doubtful' while only a reset or an acknowledgement to come can decide.
   */
  judge(): 'stale' | 'alive' | 'doubtful' {
    // The end came before a byte of the client's was sent.
    if (!this.#begun) return 'stale';
    // An end that comes before a byte was sent, but when the client could already send, is the backend's own decision.
    if (this.#bytes + this.#prefaceBytes === 0) return 'alive';
    if (ackedBytes(this.#libc, this.#backend.fd) !== this.#ackedBefore) return 'alive';
    const errno = this.#backend.error;
    if (errno === 0) {
      // Bytes of ours are behind its FIN: either its system resets them, or it reads on and acknowledges them.
      this.#finSeen = true;
      return 'doubtful';
    }
    // A reset is EPIPE when it comes after a FIN, and ECONNRESET if our own FIN has gone out between the two.
    return errno === EPIPE || (errno === ECONNRESET && this.#finSeen) ? 'stale' : 'alive';
  }
}

/** -1 where the system does not report it. */
function ackedBytes(libc: Libc, fd: number): number {
  const info = tcpInfo(libc, fd, TCP_INFO_BYTES);
  return info === undefined ? -1 : Number(info.readBigUInt64LE(TCP_INFO_BYTES_ACKED));
}
