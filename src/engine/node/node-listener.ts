/**
 * A bound address that accepts clients, and can hold them back.
 *
 * Place: made by `engine.listen`; admission and the session stand behind `onClient`.
 * Pausing: with the C library clients wait in the kernel's queue (acceptor.ts). Without it Node cannot stop accepting,
 * so clients of a paused listener are accepted and wait in a bounded room, unread, first come first served; a client
 * that finds the room full is reset (docs/adr/0001-engine-contract.md).
 * Invariants:
 * - clients are handed over in the order they were accepted, also those that left while waiting;
 * - after `close` has resolved no client comes, and with the C library none has been let in and then reset.
 * A client that was reset before it was accepted has no address any more: it is dropped, as admission cannot judge it.
 */
import type { Server, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { systemCode } from '../../errors.ts';
import type { Address, ListenAddress } from '../../support/address.ts';
import type { Keepalive, ListeningSocket, SocketOptions } from '../../support/socket.ts';
import type { EngineListener, ListenHandlers } from '../engine.ts';
import { KeepListening } from '../epoll/keep-listening.ts';
import type { Libc } from '../../linux/libc.ts';
import { isHandshakeUnderWay, refuseNewClients } from '../../linux/stop-accepting.ts';
import { socketOver, type AcceptedHandle } from './accept.ts';
import { Acceptor, newServer, type AcceptorForm } from './acceptor.ts';
import { listenFailure } from '../../linux/listen-failure.ts';
import { removeIfSame, type SocketFile } from '../../linux/socket-file.ts';
import { bind, type Bound } from './bind.ts';
import { letInherit, setKeepalive } from './keepalive.ts';
import type { ConnectionDeps, Peer } from './connection-deps.ts';
import { NodeConnection } from './node-connection.ts';

/** `close` waits for handshakes, and takes clients from a queue that still grows, for at most this time. */
const CLOSE_LIMIT_MS = 1000;
const LOOK_AGAIN_MS = 10;
/** How long it rests when there is no descriptor to accept with. */
const EXHAUSTED_REST_MS = 100;

export interface ListenerDeps extends ConnectionDeps {
  /** The C library, where it can be loaded: with it `close` loses no client that connects at that moment. */
  readonly libc?: Libc | undefined;
  /** Notes a client's descriptor. */
  note(socket: Socket): void;
}

/** Binds or takes over the socket; rejects with `Lb4Error` LB4_LISTEN_FAILED. */
export async function listenNode(
  where: ListenAddress | ListeningSocket,
  handlers: ListenHandlers,
  deps: ListenerDeps,
  takesHandles: boolean,
  options: SocketOptions = {},
): Promise<EngineListener> {
  const server = newServer(options.noDelay);
  const bound = await bind(server, where, deps.libc, options);
  // This is still the turn that bound the socket, so no client can have been accepted yet.
  // The options of a socket that was taken over are set already.
  const isOwn = bound.address.kind === 'tcp' && where.kind !== 'listening';
  const keepalive = isOwn && !letInherit(server, options, deps.libc) ? options.keepalive : undefined;
  // What the host has bound has it already, and the host may change it.
  const noDelay = where.kind === 'listening' ? 'inherited' : options.noDelay;
  try {
    return new NodeListener(server, bound, handlers, deps, { ...options, takesHandles, keepalive, noDelay });
  } catch (error) {
    server.close();
    if (bound.file !== undefined) removeIfSame(bound.file);
    throw listenFailure(bound.address, error);
  }
}

interface ListenerForm extends Pick<AcceptorForm, 'takesHandles' | 'noDelay' | 'backlog'> {
  readonly keepalive: Keepalive | undefined;
}

class NodeListener implements EngineListener {
  readonly address: Address;
  readonly #acceptor: Acceptor;
  readonly #kept: KeepListening | undefined;
  readonly #file: SocketFile | undefined;
  readonly #handlers: ListenHandlers;
  readonly #deps: ListenerDeps;
  /** What each client has to be given, because it does not inherit it. */
  readonly #keepalive: Keepalive | undefined;
  readonly #waiting: NodeConnection[] = [];
  #paused = false;
  #handingOver = false;
  #closing = false;
  #broken = false;
  #isClosed = false;
  #accepted = 0;
  #closed: Promise<void> | undefined;

  constructor(
    server: Server,
    bound: Bound,
    handlers: ListenHandlers,
    deps: ListenerDeps,
    { takesHandles, keepalive, noDelay, backlog }: ListenerForm,
  ) {
    this.address = bound.address;
    this.#file = bound.file;
    this.#handlers = handlers;
    this.#deps = deps;
    this.#keepalive = keepalive;
    this.#acceptor = new Acceptor(
      server,
      deps.libc,
      { takesHandles, noDelay, backlog, kind: bound.address.kind },
      {
        onHandle: handle => this.#acceptHandle(handle),
        onSocket: socket => this.#acceptSocket(socket),
      },
    );
    this.#kept = this.#keepListening(backlog);
  }

  pause(): void {
    if (this.#closing) return;
    this.#paused = true;
    this.#acceptor.stop();
  }

  resume(): void {
    this.#paused = false;
    this.#handOver();
    this.#goOn();
  }

  release(): void {
    if (this.#closed !== undefined) return;
    this.#closed = Promise.resolve();
    this.#closing = true;
    this.#kept?.stop();
    this.#paused = false;
    this.#handOver();
    this.#isClosed = true;
    this.#acceptor.close();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing = true;
    this.#kept?.stop();
    this.resume();
    const { setTimer, libc } = this.#deps;
    const { fd } = this.#acceptor;
    if (libc !== undefined && fd !== undefined) refuseNewClients(libc, fd, this.address.kind);
    const time = { isUp: false };
    const cancelTimer = setTimer(() => (time.isUp = true), CLOSE_LIMIT_MS);
    for (;;) {
      const more = this.#isHandshakeUnderWay();
      await this.#untilQueueIsEmpty(time);
      const isOver = !more && (this.#acceptor.isAccepting || this.#broken);
      if (isOver || time.isUp) break;
      await new Promise<void>(resolve => setTimer(resolve, LOOK_AGAIN_MS));
    }
    cancelTimer();
    if (this.#file !== undefined) removeIfSame(this.#file);
    // The descriptor is closed at once; the callback would wait for the clients that live on.
    this.#isClosed = true;
    this.#acceptor.close();
  }

  /**
   * libuv takes clients out of the kernel's queue one or a few per turn: after two turns without any it is empty. Only
   * where new clients still come this takes a limit: a thread that has stood still must not lose those that wait.
   */
  async #untilQueueIsEmpty(time: { readonly isUp: boolean }): Promise<void> {
    const mayGrow = this.#acceptor.fd === undefined;
    for (let quietTurns = 0; quietTurns < 2 && !(mayGrow && time.isUp);) {
      const before = this.#accepted;
      await nextTurn();
      quietTurns = this.#accepted === before ? quietTurns + 1 : 0;
    }
  }

  /** Where the socket can be looked at. */
  #keepListening(backlog: number | undefined): KeepListening | undefined {
    const { libc, setTimer } = this.#deps;
    const { fd } = this.#acceptor;
    if (libc === undefined || fd === undefined) return undefined;
    const handlers = this.#handlers;
    return new KeepListening(
      fd,
      this.address,
      { libc, setTimer, backlog },
      {
        onBroken: code => handlers.onBroken?.(code),
        onMended: () => handlers.onMended?.(),
        onChange: listens => {
          this.#broken = !listens;
          if (listens) this.#goOn();
          else this.#acceptor.stop();
        },
      },
    );
  }

  #isHandshakeUnderWay(): boolean {
    const { libc } = this.#deps;
    return libc !== undefined && this.address.kind === 'tcp' && isHandshakeUnderWay(libc, this.address);
  }

  #acceptHandle(handle: AcceptedHandle): void {
    this.#accepted++;
    const name: { address?: string; port?: number } = {};
    handle.getpeername?.(name);
    const peer = clientPeer(this.address.kind, name.address, name.port);
    if (peer === undefined) handle.close();
    else this.#accept(new NodeConnection(onread => socketOver(handle, onread), peer, this.#deps));
  }

  #acceptSocket(socket: Socket): void {
    this.#accepted++;
    const peer = clientPeer(this.address.kind, socket.remoteAddress, socket.remotePort);
    if (peer === undefined) {
      socket.on('error', () => undefined);
      socket.destroy();
    } else {
      this.#accept(new NodeConnection(socket, peer, this.#deps));
    }
  }

  #accept(client: NodeConnection): void {
    this.#deps.note(client.socket);
    if (this.#keepalive !== undefined) setKeepalive(client.socket, this.#keepalive, this.#deps.libc);
    if (!this.#paused && this.#waiting.length === 0) {
      this.#handlers.onClient(client);
    } else if (this.#deps.room.take()) {
      this.#waiting.push(client);
    } else {
      client.reset();
      this.#handlers.onTurnedAway?.();
    }
  }

  /** Takes clients from the kernel's queue, unless something forbids it. */
  #goOn(): void {
    if (this.#paused || this.#broken || this.#isClosed) return;
    try {
      this.#acceptor.start();
    } catch (error) {
      const code = systemCode(error);
      this.#deps.setTimer(() => this.#goOn(), EXHAUSTED_REST_MS);
      setImmediate(() => this.#handlers.onExhausted?.(code));
    }
  }

  #handOver(): void {
    // A session that ends at once may resume the listener from within `onClient`: the loop that runs goes on.
    if (this.#handingOver) return;
    this.#handingOver = true;
    while (!this.#paused) {
      const client = this.#waiting.shift();
      if (client === undefined) break;
      this.#deps.room.leave();
      this.#handlers.onClient(client);
    }
    this.#handingOver = false;
  }
}

const MAPPED_IPV4 = '::ffff:';

function clientPeer(kind: Address['kind'], remoteAddress?: string, remotePort?: number): Peer | undefined {
  if (kind === 'unix') return { kind, address: '', port: 0 };
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  // A listener on every address sees IPv4 clients as mapped IPv6 addresses.
  const isMapped = remoteAddress.startsWith(MAPPED_IPV4) && remoteAddress.includes('.');
  return {
    kind,
    address: isMapped ? remoteAddress.slice(MAPPED_IPV4.length) : remoteAddress,
    port: remotePort,
  };
}
