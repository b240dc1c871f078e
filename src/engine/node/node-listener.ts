/**
 * A bound address that accepts clients, and can hold them back.
 *
 * Place: made by `engine.listen`; admission and the session stand behind `onClient`.
 * Pausing: Node cannot stop accepting without closing the listening socket (libuv accepts as long as the
 * handle lives), so clients of a paused listener are accepted and wait in a bounded room, unread, first come
 * first served; a client that finds the room full is reset (docs/adr/0001-engine-contract.md).
 * Invariants: clients are handed over in the order they were accepted, also those that left while waiting;
 * after `close` has resolved no client comes, and where there is the C library none has been let in and then reset.
 * A client that was reset before it was accepted has no address any more; it is dropped, because admission could not judge it.
 */
import type { Keepalive, ListeningSocket, SocketOptions } from '../../support/socket.ts';
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Address, ListenAddress } from '../../support/address.ts';
import type { EngineListener, ListenHandlers } from '../engine.ts';
import type { Libc } from '../epoll/libc.ts';
import { isHandshakeUnderWay, refuseNewClients } from '../epoll/stop-accepting.ts';
import { socketOver, takeHandles, type AcceptedHandle } from './accept.ts';
import { removeIfSame, type SocketFile } from '../socket-file.ts';
import { bind, type Bound } from './bind.ts';
import { descriptorOf } from './descriptor.ts';
import { letInherit, setKeepalive } from './keepalive.ts';
import type { ConnectionDeps, Peer } from './connection-deps.ts';
import { NodeConnection } from './node-connection.ts';

/** `close` takes clients from the kernel's queue, and waits for handshakes, for no longer than this. */
const CLOSE_LIMIT_MS = 1000;
const LOOK_AGAIN_MS = 10;

export interface ListenerDeps extends ConnectionDeps {
  /** The C library, where there is one: with it `close` loses no client that connects just then. */
  readonly libc?: Libc | undefined;
  /** Takes note of a client's descriptor. */
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
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
  const bound = await bind(server, where, deps.libc);
  // Still in the turn that bound the socket: nobody can have been accepted yet.
  // Those of a socket that was taken over are set already.
  const isOwn = bound.address.kind === 'tcp' && where.kind !== 'listening';
  const keepalive = isOwn && !letInherit(server, options, deps.libc) ? options.keepalive : undefined;
  return new NodeListener(server, bound, handlers, deps, { takesHandles, keepalive });
}

class NodeListener implements EngineListener {
  readonly address: Address;
  readonly #server: Server;
  readonly #file: SocketFile | undefined;
  readonly #handlers: ListenHandlers;
  readonly #deps: ListenerDeps;
  /** What each client has to be given, because it does not inherit it. */
  readonly #keepalive: Keepalive | undefined;
  readonly #waiting: NodeConnection[] = [];
  #paused = false;
  #handingOver = false;
  #closing = false;
  #accepted = 0;
  #closed: Promise<void> | undefined;

  constructor(
    server: Server,
    bound: Bound,
    handlers: ListenHandlers,
    deps: ListenerDeps,
    { takesHandles, keepalive }: { takesHandles: boolean; keepalive: Keepalive | undefined },
  ) {
    this.#server = server;
    this.address = bound.address;
    this.#file = bound.file;
    this.#handlers = handlers;
    this.#deps = deps;
    this.#keepalive = keepalive;
    // A failed accept (out of descriptors) is the kernel's to report again; unheard it would end the process.
    server.on('error', () => undefined);
    if (takesHandles && takeHandles(server, handle => this.#acceptHandle(handle))) return;
    server.on('connection', socket => this.#acceptSocket(socket));
  }

  pause(): void {
    if (!this.#closing) this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#handOver();
  }

  release(): void {
    if (this.#closed !== undefined) return;
    this.#closed = Promise.resolve();
    this.#closing = true;
    this.resume();
    this.#server.close();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing = true;
    this.resume();
    const { setTimer, libc } = this.#deps;
    const fd = descriptorOf(this.#server);
    if (libc !== undefined && fd !== undefined) refuseNewClients(libc, fd, this.address.kind);
    const time = { isUp: false };
    const cancelTimer = setTimer(() => (time.isUp = true), CLOSE_LIMIT_MS);
    for (;;) {
      const more = this.#isHandshakeUnderWay();
      await this.#untilQueueIsEmpty(time);
      if (!more || time.isUp) break;
      await new Promise<void>(resolve => setTimer(resolve, LOOK_AGAIN_MS));
    }
    cancelTimer();
    if (this.#file !== undefined) removeIfSame(this.#file);
    // The descriptor is closed at once; the callback would wait for the clients that live on.
    this.#server.close();
  }

  /** libuv takes clients out of the kernel's queue one or a few per turn: it is empty when two turns bring nobody. */
  async #untilQueueIsEmpty(time: { readonly isUp: boolean }): Promise<void> {
    for (let quietTurns = 0; quietTurns < 2 && !time.isUp;) {
      const before = this.#accepted;
      await nextTurn();
      quietTurns = this.#accepted === before ? quietTurns + 1 : 0;
    }
  }

  #isHandshakeUnderWay(): boolean {
    const { libc } = this.#deps;
    return libc !== undefined && this.address.kind === 'tcp' && isHandshakeUnderWay(libc, this.address.port);
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
  // A listener on every address sees IPv4 clients in IPv6 clothes.
  const isMapped = remoteAddress.startsWith(MAPPED_IPV4) && remoteAddress.includes('.');
  return {
    kind,
    address: isMapped ? remoteAddress.slice(MAPPED_IPV4.length) : remoteAddress,
    port: remotePort,
  };
}
