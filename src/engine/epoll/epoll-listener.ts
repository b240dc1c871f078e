/**
 * A listening socket: takes clients out of the kernel's queue, and can leave them there.
 *
 * Place: made by `engine.listen`; admission and the session stand behind `onClient`.
 * Pausing takes the socket out of the epoll set: clients wait in the kernel's queue, and when that is full their
 * connects wait too. The registration is level-triggered, so a round takes some clients and leaves the rest for
 * the next round, after the running sessions.
 * Invariants:
 * - clients come in the order in which the kernel queued them;
 * - the listener rests instead of spinning while descriptors or memory have run out, and while its socket has been
 *   made to stop listening (keep-listening.ts);
 * - a client that the kernel has let in is handed over, also by `close`; after `close` none comes.
 */
import type { ListeningSocket, SocketOptions } from '../../support/socket.ts';
import type { Address, ListenAddress } from '../../support/address.ts';
import type { EngineListener, ListenHandlers } from '../engine.ts';
import { listenFailure } from '../../linux/listen-failure.ts';
import {
  EPOLLEXCLUSIVE,
  EPOLLIN,
  F_GETFL,
  F_SETFL,
  O_NONBLOCK,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
} from '../../linux/abi.ts';
import { removeIfSame, type SocketFile } from '../../linux/socket-file.ts';
import { EpollConnection } from './epoll-connection.ts';
import type { EpollDeps } from './epoll-deps.ts';
import { isListening, KeepListening, listenAgain } from './keep-listening.ts';
import type { Libc } from '../../linux/libc.ts';
import { bindListeningSockets } from '../../linux/listening-sockets.ts';
import type { Watched } from './reactor.ts';
import { isHandshakeUnderWay, refuseNewClients } from '../../linux/stop-accepting.ts';
import { hostOf, portOf, SOCKADDR_BYTES } from '../../linux/sockaddr.ts';
import {
  EAGAIN,
  EINVAL,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  ENOSPC,
  errnoName,
  systemError,
} from '../../linux/system-error.ts';

/** Clients taken per round at most: the running sessions come first. */
const MAX_BATCH = 64;
/** Clients taken at the end of `close`, in one step: more than a queue has by any default. */
const LAST_BATCH = 65_536;
/** How long it rests when there is no descriptor or memory for another client. */
const EXHAUSTED_REST_MS = 100;
/** No descriptor, no memory, or no room in the epoll set (fs.epoll.max_user_watches). */
const EXHAUSTED: readonly number[] = [EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC];
/** `close` waits for handshakes and descriptors for no longer than this. */
const CLOSE_LIMIT_MS = 1000;
const LOOK_AGAIN_MS = 10;

/** Binds an address, or takes over the socket; rejects with `Lb4Error` LB4_LISTEN_FAILED. */
export async function listenEpoll(
  where: ListenAddress | ListeningSocket,
  handlers: ListenHandlers,
  deps: EpollDeps,
  options?: SocketOptions,
): Promise<EngineListener> {
  if (where.kind === 'listening') {
    takeOver(deps.libc, where, options?.backlog);
    return new EpollListener(where.fd, where.address, handlers, deps, options);
  }
  const { address, fds, file } = await bindListeningSockets(deps.libc, where, 1, options);
  const [fd = -1] = fds;
  return new EpollListener(fd, address, handlers, deps, options, file);
}

/** Makes sure that the socket listens and that accepting never blocks the thread; else closes it and throws. */
function takeOver(libc: Libc, { fd, address }: ListeningSocket, backlog: number | undefined): void {
  try {
    // A socket that does not listen would be ready for ever, without a client to accept.
    const listens = isListening(libc, fd);
    if (listens === undefined) throw systemError('getsockopt', libc.errno());
    if (!listens && listenAgain(libc, fd, address, backlog) !== undefined)
      throw systemError('accept4', EINVAL);
    const flags = libc.fcntl(fd, F_GETFL, 0);
    if (flags < 0 || libc.fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
      throw systemError('fcntl', libc.errno());
  } catch (error) {
    libc.close(fd);
    throw listenFailure(address, error);
  }
}

/** One client, or why there is none. */
type Accepted = EpollConnection | 'nobody' | 'exhausted' | 'gone';

class EpollListener implements EngineListener, Watched {
  readonly address: Address;
  generation = 0;
  readonly #fd: number;
  readonly #handlers: ListenHandlers;
  readonly #deps: EpollDeps;
  readonly #file: SocketFile | undefined;
  #paused = false;
  #resting = false;
  readonly #kept: KeepListening;
  #broken = false;
  #watched = false;
  #closed: Promise<void> | undefined;
  /** Grows while clients wait in numbers, so that a single client does not cost a second, empty accept. */
  #batch = 1;

  /** Takes over a non-blocking socket that listens. `file`: to be removed with it. */
  constructor(
    fd: number,
    address: Address,
    handlers: ListenHandlers,
    deps: EpollDeps,
    options?: SocketOptions,
    file?: SocketFile,
  ) {
    this.#fd = fd;
    this.address = address;
    this.#handlers = handlers;
    this.#deps = deps;
    this.#file = file;
    deps.descriptors.own(fd);
    const { libc, setTimer } = deps;
    this.#kept = new KeepListening(
      fd,
      address,
      { libc, setTimer, backlog: options?.backlog },
      {
        onBroken: code => handlers.onBroken?.(code),
        onMended: () => handlers.onMended?.(),
        onChange: listens => {
          this.#broken = !listens;
          this.#update();
        },
      },
    );
    this.#update();
  }

  onEvents(): void {
    for (let taken = 0; taken < this.#batch; taken++) {
      if (!this.#isOpen()) return;
      const accepted = this.#accept();
      if (accepted === 'nobody') {
        this.#batch = Math.max(1, taken);
        return;
      }
      if (accepted === 'exhausted') return;
      if (accepted !== 'gone') this.#handlers.onClient(accepted);
    }
    this.#batch = Math.min(this.#batch * 2, MAX_BATCH);
  }

  pause(): void {
    if (this.#closed !== undefined) return;
    this.#paused = true;
    this.#update();
  }

  resume(): void {
    this.#paused = false;
    this.#update();
  }

  release(): void {
    if (this.#closed !== undefined) return;
    this.#closed = Promise.resolve();
    this.#kept.stop();
    this.#update();
    this.#deps.descriptors.close(this.#fd);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#paused = true;
    this.#kept.stop();
    this.#update();
    refuseNewClients(this.#deps.libc, this.#fd, this.address.kind);
    await this.#lastClientsTaken();
  }

  /** Hands over every client in the kernel's queue or about to enter it, and closes the socket behind the last one. */
  #lastClientsTaken(): Promise<void> {
    const time = { isUp: false };
    const cancelTimer = this.#deps.setTimer(() => (time.isUp = true), CLOSE_LIMIT_MS);
    return new Promise(resolve => {
      const round = (): void => {
        const taken = this.#take(time.isUp ? LAST_BATCH : MAX_BATCH);
        if (taken === 'some' && !time.isUp) {
          this.#deps.reactor.defer(round);
          return;
        }
        // A client that comes between the two looks is taken by the second one, in the same step as the close.
        const isOver = taken === 'all' && !this.#isHandshakeUnderWay() && this.#take(LAST_BATCH) === 'all';
        if (!isOver && !time.isUp) {
          this.#deps.setTimer(round, taken === 'exhausted' ? EXHAUSTED_REST_MS : LOOK_AGAIN_MS);
          return;
        }
        if (this.#file !== undefined) removeIfSame(this.#file);
        this.#deps.descriptors.close(this.#fd);
        cancelTimer();
        resolve();
      };
      // Not before `close` has returned.
      this.#deps.reactor.defer(round);
    });
  }

  /** Hands over clients from the kernel's queue: all of them, or some, because there are more or no descriptors. */
  #take(limit: number): 'all' | 'some' | 'exhausted' {
    for (let taken = 0; taken < limit; taken++) {
      const accepted = this.#accept();
      if (accepted === 'nobody') return 'all';
      if (accepted === 'exhausted') return 'exhausted';
      if (accepted !== 'gone') this.#handlers.onClient(accepted);
    }
    return 'some';
  }

  #isHandshakeUnderWay(): boolean {
    return this.address.kind === 'tcp' && isHandshakeUnderWay(this.#deps.libc, this.address);
  }

  #isOpen(): boolean {
    return !this.#paused && !this.#resting && !this.#broken && this.#closed === undefined;
  }

  #accept(): Accepted {
    const { libc, descriptors } = this.#deps;
    peerLength.writeUInt32LE(SOCKADDR_BYTES);
    const fd = libc.accept4(this.#fd, peerBytes, peerLength, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return this.#failed(libc.errno());
    const client =
      this.address.kind === 'tcp'
        ? new EpollConnection(fd, hostOf(peerBytes), portOf(peerBytes), this.#deps, true)
        : new EpollConnection(fd, undefined, 0, this.#deps, true);
    if (descriptors.watch(fd, client)) return client;
    const errno = libc.errno();
    client.reset();
    return this.#failed(errno);
  }

  #failed(errno: number): 'nobody' | 'exhausted' | 'gone' {
    if (errno === EAGAIN) return 'nobody';
    if (errno === EINVAL) {
      if (this.#closed === undefined) this.#kept.look();
      return 'nobody';
    }
    // Every other errno is about one client, which has gone already (accept(2) lists the possible ones).
    if (!EXHAUSTED.includes(errno)) return 'gone';
    this.#rest();
    this.#handlers.onExhausted?.(errnoName(errno));
    return 'exhausted';
  }

  #rest(): void {
    if (this.#resting) return;
    this.#resting = true;
    this.#update();
    this.#deps.setTimer(() => {
      this.#resting = false;
      this.#update();
    }, EXHAUSTED_REST_MS);
  }

  /** Registers the socket while clients are wanted, and takes it out while they are not. */
  #update(): void {
    const { reactor } = this.#deps;
    const wanted = this.#isOpen();
    if (wanted === this.#watched) return;
    this.#watched = wanted;
    if (!wanted) {
      reactor.remove(this.#fd);
      return;
    }
    // A unix socket is shared by all workers: without EXCLUSIVE each client would wake every one of them.
    const events = this.address.kind === 'unix' ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN;
    if (reactor.add(this.#fd, this, events)) return;
    const code = errnoName(this.#deps.libc.errno());
    this.#watched = false;
    this.#rest();
    reactor.defer(() => this.#handlers.onExhausted?.(code));
  }
}

const peerBytes = Buffer.alloc(SOCKADDR_BYTES);
const peerLength = Buffer.alloc(4);
