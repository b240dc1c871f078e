/**
 * One connected socket: what is known of its readiness, and which owner receives its changes.
 *
 * Place: made by the listener and by connect; handed to the session as `Connection`; read and written by its owner:
 * a watch, a peek, `finish`, or the relay.
 * Invariants:
 * - there is at most one owner, and without one nothing is read;
 * - readiness seen meanwhile is remembered, because the kernel reports an edge only once;
 * - a closed connection reports nothing more.
 */
import { formatAddress } from '../../support/address.ts';
import type { Keepalive } from '../../support/socket.ts';
import type { Connection, OnPeek } from '../engine.ts';
import { takeFrom, type HeldBytes } from '../held-bytes.ts';
import type { Keepable, LateKeepalive, LateKeepalives } from '../late-keepalive.ts';
import * as abi from '../../linux/abi.ts';
import type { EpollDeps } from './epoll-deps.ts';
import { Finishing } from './finishing.ts';
import { ON } from '../../linux/listening-sockets.ts';
import { Peeking } from './peeking.ts';
import type { Watched } from './reactor.ts';
import { decodeAddress, SOCKADDR_BYTES } from '../../linux/sockaddr.ts';
import { setKeepalive } from '../../linux/socket-options.ts';
import { Watching } from './watching.ts';

/** The owner of a connection. `events` are the EPOLL flags of this edge; the connection remembers them. */
export interface ConnectionOwner {
  onReady(connection: EpollConnection, events: number): void;
}

const HANG_UP = abi.EPOLLRDHUP | abi.EPOLLHUP | abi.EPOLLERR;
const SOMETHING_TO_READ = abi.EPOLLIN | HANG_UP;
const int32 = Buffer.alloc(4);
const ownAddress = Buffer.alloc(SOCKADDR_BYTES);
const optionLength = Buffer.alloc(4);

export class EpollConnection implements Connection, Watched, Keepable {
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly isTcp: boolean;
  readonly fd: number;
  generation = 0;
  /** A read may find bytes, an end or an error; false after one that found nothing more. */
  readable = false;
  /** The peer has sent its FIN, or the connection is broken. */
  hungUp = false;
  /** The connection is broken: a reset, or a timeout of the kernel's own. */
  broken = false;
  /** Urgent data ends a read early (tcp(7)). */
  urgent = false;
  /**
   * A short read proves that nothing more is there. Not on a unix socket, where a read ends where a message with
   * descriptors does (unix(7)), not with urgent data, and not while what the kernel has reported is in doubt.
   */
  shortReadIsAll: boolean;
  closed = false;
  /** Bytes that a peek has read, or that a relay has taken and could not pass on: the next relay sends them first. */
  unread: HeldBytes | undefined;
  owner: ConnectionOwner | undefined;
  /** For the pool that lends it. */
  lentBy: unknown;
  readonly #deps: EpollDeps;
  #sends: number;
  #error = 0;
  #isDoubted = false;
  #lateKeepalive: LateKeepalive | undefined;

  /**
   * @param peerAddress undefined: the socket is a unix socket
   * @param noDelay TCP_NODELAY is set already, or is never to be set
   */
  constructor(
    fd: number,
    peerAddress: string | undefined,
    peerPort: number,
    deps: EpollDeps,
    noDelay: boolean,
  ) {
    this.fd = fd;
    this.isTcp = peerAddress !== undefined;
    this.peerAddress = peerAddress ?? '';
    this.peerPort = peerPort;
    this.#deps = deps;
    this.shortReadIsAll = this.isTcp && deps.trustsShortReads;
    this.#sends = noDelay || !this.isTcp ? 2 : 0;
  }

  get localAddress(): string {
    if (this.closed || !this.isTcp) return '';
    int32.writeUInt32LE(ownAddress.length);
    if (this.#deps.libc.getsockname(this.fd, ownAddress, int32) < 0) return '';
    const address = decodeAddress(ownAddress, int32.readUInt32LE());
    return address === undefined ? '' : formatAddress(address);
  }

  get wasReset(): boolean {
    return this.broken;
  }

  onEvents(events: number): void {
    if ((events & SOMETHING_TO_READ) !== 0) {
      this.readable = true;
      if ((events & HANG_UP) !== 0) {
        this.hungUp = true;
        if ((events & abi.EPOLLERR) !== 0) this.broken = true;
      }
      if ((events & abi.EPOLLPRI) !== 0) {
        this.urgent = true;
        this.shortReadIsAll = false;
      }
    }
    this.owner?.onReady(this, events);
  }

  /**
   * The connect has succeeded. Some kernels report a hang-up of a socket that is still connecting. Remembered, it would
   * make the first short read the end, so the connection's own state is asked instead, and no short read is trusted
   * before a read has found nothing more.
   */
  established(): void {
    if (!this.hungUp || !this.isTcp) return;
    // The caller has asked for the error: there was none.
    this.broken = false;
    this.hungUp = this.#finHasCome();
    this.readable = this.hungUp || this.unreadBytes > 0;
    this.#isDoubted = true;
    this.shortReadIsAll = false;
  }

  /** A read has found nothing more: an end, an error, or nothing yet. */
  nothingMore(): void {
    this.readable = false;
    if (!this.#isDoubted) return;
    this.#isDoubted = false;
    this.shortReadIsAll = !this.urgent && this.#deps.trustsShortReads;
  }

  /**
   * Sends from the start of `buffer`; returns how many bytes the kernel took, or -1 with `errno()`.
   * Nagle's algorithm holds back a small packet only behind an unacknowledged one, so the first send of a
   * connection needs no TCP_NODELAY: a session of one request saves a call.
   */
  send(buffer: Uint8Array, bytes: number): number {
    if (this.#sends < 2) this.#countSend();
    return this.#deps.libc.send(this.fd, buffer, bytes, abi.MSG_NOSIGNAL);
  }

  /**
   * The same for the last bytes of all: the caller shuts the connection down or closes it in this very step, and the FIN
   * leaves in the segment of the last byte. A TCP_NODELAY would send that segment at once, so none is set for it.
   */
  sendLast(buffer: Uint8Array, bytes: number): number {
    return this.#deps.libc.send(this.fd, buffer, bytes, abi.MSG_NOSIGNAL | abi.MSG_MORE);
  }

  /** Before bytes are spliced to it: from now on nothing is held back. */
  setNoDelay(): void {
    if (this.#sends >= 2) return;
    this.#sends = 2;
    this.#deps.libc.setsockopt(this.fd, abi.IPPROTO_TCP, abi.TCP_NODELAY, ON, ON.length);
  }

  /**
   * Notes the error of a read or write, because the kernel reports each error only once. From then on the connection is
   * broken, for that reason.
   */
  failed(errno: number): void {
    this.broken = true;
    if (this.#error === 0) this.#error = errno;
  }

  /** The errno that broke the connection, whichever call has met it; 0 while the connection is not broken. */
  get error(): number {
    if (this.#error !== 0) return this.#error;
    const { libc } = this.#deps;
    optionLength.writeUInt32LE(int32.length);
    const failed = libc.getsockopt(this.fd, abi.SOL_SOCKET, abi.SO_ERROR, int32, optionLength) < 0;
    const errno = failed ? libc.errno() : int32.readInt32LE(0);
    if (errno !== 0) this.failed(errno);
    return errno;
  }

  /** Bytes received and not yet read. */
  get unreadBytes(): number {
    const { libc } = this.#deps;
    return libc.ioctl(this.fd, abi.SIOCINQ, int32) < 0 ? 0 : int32.readInt32LE(0);
  }

  /** Bytes sent and not yet acknowledged. */
  get unackedBytes(): number {
    const { libc } = this.#deps;
    return libc.ioctl(this.fd, abi.SIOCOUTQ, int32) < 0 ? 0 : int32.readInt32LE(0);
  }

  watch(onChange: (change: 'readable' | 'dead') => void): void {
    this.owner = new Watching(this, this.#deps.reactor, onChange);
  }

  peek(limitBytes: number, onChange: OnPeek): void {
    this.owner = new Peeking(this, limitBytes, this.#deps, onChange);
  }

  take(bytes: number): void {
    if (this.owner instanceof Peeking) this.owner = undefined;
    this.unread = takeFrom(this.unread, bytes);
  }

  unwatch(): void {
    this.owner = undefined;
  }

  finish(bytes?: Uint8Array): void {
    if (this.closed || this.owner instanceof Finishing) return;
    if (!this.#deps.room.take()) {
      // No room to wait for the peer: it gets a reset instead of last words that it might never read.
      this.reset();
      return;
    }
    this.unread = undefined;
    this.owner = new Finishing(this, bytes, this.#deps);
  }

  reset(): void {
    if (this.closed) return;
    const { owner } = this;
    this.#lateKeepalive?.cancel();
    this.closed = true;
    this.owner = undefined;
    if (this.isTcp) this.#deps.descriptors.reset(this.fd);
    else this.#deps.descriptors.close(this.fd);
    if (owner instanceof Finishing) owner.left();
  }

  /** Closes it; what the kernel has been given is still delivered, if nothing is left unread. */
  close(): void {
    if (this.closed) return;
    this.#lateKeepalive?.cancel();
    this.closed = true;
    this.owner = undefined;
    this.#deps.descriptors.close(this.fd);
  }

  /** From `idleMs` after its start on, the kernel is to find out when the peer has vanished. */
  keepAlive(keepalive: Keepalive, keepalives: LateKeepalives): void {
    this.#lateKeepalive = keepalives.add(this, keepalive);
  }

  /** For the late keepalives only. */
  setKeepalive(keepalive: Keepalive): void {
    this.#lateKeepalive = undefined;
    setKeepalive(this.#deps.libc, this.fd, keepalive);
  }

  #finHasCome(): boolean {
    optionLength.writeUInt32LE(int32.length);
    const { libc } = this.#deps;
    // `tcpi_state` is the first byte that TCP_INFO returns.
    const failed = libc.getsockopt(this.fd, abi.IPPROTO_TCP, abi.TCP_INFO, int32, optionLength) < 0;
    return !failed && int32[0] === abi.TCP_CLOSE_WAIT;
  }

  #countSend(): void {
    if (this.#sends === 1) this.setNoDelay();
    else this.#sends = 1;
  }
}
