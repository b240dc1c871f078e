/**
 * Opens a connection to a backend, with a timeout and a cancel.
 *
 * Place: called by the dispatcher through the engine, and by the pool for its spares.
 * Invariants:
 * - `done` is called exactly once, never before `connectEpoll` has returned and never after a cancel;
 * - a failure is a value;
 * - the new connection has not been read from, so a greeting waits for its owner.
 */
import { connectFailure } from '../connect-failure.ts';
import type { Deadlines, Expiring } from '../../support/deadlines.ts';
import type { LateKeepalives } from '../late-keepalive.ts';
import { REFUSED, SelfConnects } from '../../support/self-connect.ts';
import type { Cancel, ConnectOptions, ConnectResult } from '../engine.ts';
import type { Address, TcpAddress } from '../../support/address.ts';
import type { EarlyOptions } from '../../support/socket.ts';
import { sourcesFor } from '../sources.ts';
import * as abi from '../../linux/abi.ts';
import { EpollConnection, type ConnectionOwner } from './epoll-connection.ts';
import type { EpollDeps } from './epoll-deps.ts';
import type { Libc } from '../../linux/libc.ts';
import { encodeAddress, SOCKADDR_BYTES, type EncodedAddress } from '../../linux/sockaddr.ts';
import { prepareSocket, setUserTimeout } from '../../linux/socket-options.ts';
import { EADDRNOTAVAIL, EINPROGRESS, ENAMETOOLONG, errnoName } from '../../linux/system-error.ts';

export interface ConnectDeps extends EpollDeps {
  readonly deadlines: Deadlines;
  readonly keepalives: LateKeepalives;
}

/** Connects to a numeric or unix address. */
export function connectEpoll(
  address: Address,
  options: ConnectOptions,
  deps: ConnectDeps,
  done: (result: ConnectResult) => void,
): Cancel {
  const connecting = new Connecting(address, options, deps, done);
  return () => connecting.cancel();
}

/** Owns the connection until it is established. */
class Connecting implements ConnectionOwner, Expiring {
  readonly #address: Address;
  readonly #deps: ConnectDeps;
  readonly #done: (result: ConnectResult) => void;
  #connection: EpollConnection | undefined;
  #settled = false;
  #target: Target | undefined;
  readonly #options: ConnectOptions;
  dueMs = 0;
  earlier: Expiring | undefined;
  later: Expiring | undefined;

  constructor(
    address: Address,
    options: ConnectOptions,
    deps: ConnectDeps,
    done: (result: ConnectResult) => void,
  ) {
    this.#address = address;
    this.#deps = deps;
    this.#done = done;
    this.#options = options;
    const errno = this.#begin(address);
    if (errno === 0) deps.deadlines.add(this);
    else deps.reactor.defer(() => this.#fail(errnoName(errno)));
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  cancel(): void {
    if (this.#settle()) this.#connection?.reset();
  }

  /** The time is over. */
  expire(): void {
    this.#fail('ETIMEDOUT');
  }

  onReady(connection: EpollConnection, events: number): void {
    if ((events & (abi.EPOLLERR | abi.EPOLLHUP)) !== 0) {
      const errno = connection.error;
      if (errno !== 0) {
        this.#fail(errnoName(errno));
        return;
      }
    }
    if ((events & abi.EPOLLOUT) === 0) return;
    if (this.#reachesItself(connection)) this.#fail(REFUSED);
    else this.#succeed(connection);
  }

  /** Starts the connect; returns 0, or the errno of a connect that has failed at once. */
  #begin(address: Address): number {
    const { libc, descriptors } = this.#deps;
    const target = encoded(address);
    if (target === undefined) return ENAMETOOLONG;
    const { family, bytes } = target;
    this.#target = target;
    const isTcp = address.kind === 'tcp';
    const { userTimeoutMs, noDelay, early } = this.#options;
    const protocol = early?.mptcp === true && isTcp ? abi.IPPROTO_MPTCP : 0;
    const fd = libc.socket(family, abi.SOCK_STREAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC, protocol);
    if (fd < 0) return libc.errno();
    const connection = isTcp
      ? new EpollConnection(fd, address.host, address.port, this.#deps, noDelay === false)
      : new EpollConnection(fd, undefined, 0, this.#deps, false);
    this.#connection = connection;
    if (isTcp && early !== undefined) {
      const errno = prepareSocket(libc, fd, family, early);
      if (errno !== 0) return errno;
    }
    if (isTcp && userTimeoutMs !== undefined) setUserTimeout(libc, fd, userTimeoutMs);
    const errno =
      isTcp && early?.source !== undefined
        ? this.#connectFrom(fd, address, bytes, early.source)
        : this.#connect(fd, bytes);
    // Registered after connect: a socket that was never connected reports a hang-up.
    connection.owner = this;
    if (errno !== 0 && errno !== EINPROGRESS) return errno;
    return descriptors.watch(fd, connection) ? 0 : libc.errno();
  }

  #connect(fd: number, bytes: Uint8Array): number {
    const { libc } = this.#deps;
    return libc.connect(fd, bytes, bytes.length) < 0 ? libc.errno() : 0;
  }

  /** From the first source that has a port left for the target. */
  #connectFrom(fd: number, target: TcpAddress, bytes: Uint8Array, source: Source): number {
    const { libc } = this.#deps;
    const sources = sourcesFor(target, source, this.#options.client);
    if (sources.length === 0) return this.#connect(fd, bytes);
    let errno = 0;
    for (const each of sources) {
      const from = encodedSource(each);
      errno = libc.bind(fd, from, from.length) < 0 ? libc.errno() : this.#connect(fd, bytes);
      if (errno !== EADDRNOTAVAIL) return errno;
    }
    return errno;
  }

  #reachesItself({ fd }: EpollConnection): boolean {
    const { libc, clock } = this.#deps;
    const target = this.#target;
    if (target?.selfConnects.mayBe(clock.nowMs) !== true) return false;
    if (isItself(libc, fd, target.bytes)) return true;
    target.selfConnects.wasNone(clock.nowMs);
    return false;
  }

  #succeed(connection: EpollConnection): void {
    if (!this.#settle()) return;
    connection.owner = undefined;
    connection.established();
    const { keepalive } = this.#options;
    if (keepalive !== undefined && connection.isTcp) connection.keepAlive(keepalive, this.#deps.keepalives);
    this.#done({ ok: true, connection });
  }

  #fail(code: string): void {
    if (!this.#settle()) return;
    this.#connection?.reset();
    this.#target?.selfConnects.failed();
    // The interface may have been given another number since.
    if (this.#address.kind === 'tcp' && this.#address.host.includes('%')) ENCODED.delete(this.#address);
    this.#done({ ok: false, failure: connectFailure(code, this.#address.kind) });
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#deps.deadlines.remove(this);
    return true;
  }
}

/** A backend's address is one object while it does not change, so it is encoded once. */
const ENCODED = new WeakMap<Address, Target>();

interface Target extends EncodedAddress {
  readonly selfConnects: SelfConnects;
}

type Source = NonNullable<EarlyOptions['source']>;

const SOURCES = new WeakMap<TcpAddress, Uint8Array>();

function encodedSource(source: TcpAddress): Uint8Array {
  const known = SOURCES.get(source);
  if (known !== undefined) return known;
  const { bytes } = encodeAddress(source);
  SOURCES.set(source, bytes);
  return bytes;
}

/** Undefined for a unix path that the system has no room for. */
function encoded(address: Address): Target | undefined {
  const known = ENCODED.get(address);
  if (known !== undefined) return known;
  try {
    const fresh = { ...encodeAddress(address), selfConnects: new SelfConnects(address) };
    ENCODED.set(address, fresh);
    return fresh;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Whether both ends have the same name, when the peer's port is known; a peer that is gone by now has no name. */
function isItself(libc: Libc, fd: number, target: Uint8Array): boolean {
  length.writeUInt32LE(SOCKADDR_BYTES);
  if (libc.getsockname(fd, own, length) < 0 || own[2] !== target[2] || own[3] !== target[3]) return false;
  length.writeUInt32LE(SOCKADDR_BYTES);
  return libc.getpeername(fd, peer, length) === 0 && own.equals(peer);
}

const own = Buffer.alloc(SOCKADDR_BYTES);
const peer = Buffer.alloc(SOCKADDR_BYTES);
const length = Buffer.alloc(4);
