/**
 * A bound address that accepts clients, and can hold them back.
 *
 * Place: made by `engine.listen`; admission and the session stand behind `onClient`.
 * Pausing: Node cannot stop accepting without closing the listening socket (libuv accepts as long as the
 * handle lives), so clients of a paused listener are accepted and wait in a bounded room, unread, first come
 * first served; a client that finds the room full is reset (docs/adr/0001-engine-contract.md).
 * Invariants: clients are handed over in the order they were accepted, also those that left while waiting;
 * after `close` has resolved no client comes. A client that was reset before it was accepted has no address
 * any more; it is dropped, because admission could not judge it.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Address } from '../../support/address.ts';
import type { Connection, EngineListener } from '../engine.ts';
import { BACKLOG, bind } from './bind.ts';
import { NodeConnection, type Peer } from './node-connection.ts';
import type { SetTimer } from '../../support/timer.ts';

export interface ListenerDeps {
  readonly setTimer: SetTimer;
  /** How many clients can wait while the listener is paused. */
  readonly waitingLimit: number;
}

/** Binds `address`; rejects with `Lb4Error` LB4_LISTEN_FAILED. */
export async function listenNode(
  address: Address,
  onClient: (client: Connection) => void,
  deps: ListenerDeps,
): Promise<EngineListener> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
  const bound = await bind(server, address);
  // Still in the turn that bound the socket: nobody can have been accepted yet.
  return new NodeListener(server, bound, onClient, deps);
}

class NodeListener implements EngineListener {
  readonly address: Address;
  readonly #server: Server;
  readonly #onClient: (client: Connection) => void;
  readonly #deps: ListenerDeps;
  readonly #waiting: NodeConnection[] = [];
  #paused = false;
  #closing = false;
  #accepted = 0;
  #closed: Promise<void> | undefined;

  constructor(server: Server, address: Address, onClient: (client: Connection) => void, deps: ListenerDeps) {
    this.#server = server;
    this.address = address;
    this.#onClient = onClient;
    this.#deps = deps;
    // A failed accept (out of descriptors) is the kernel's to report again; unheard it would end the process.
    server.on('error', () => undefined);
    server.on('connection', socket => this.#accept(socket));
  }

  pause(): void {
    if (!this.#closing) this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#handOver();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing = true;
    this.resume();
    // Closing resets whoever is still in the kernel's accept queue. libuv takes clients out one or a few per
    // turn of the loop, so the queue is empty when two turns bring nobody; bounded, as clients keep coming.
    const last = this.#accepted + BACKLOG;
    for (let quietTurns = 0; quietTurns < 2 && this.#accepted < last;) {
      const before = this.#accepted;
      await nextTurn();
      quietTurns = this.#accepted === before ? quietTurns + 1 : 0;
    }
    // The descriptor is closed at once; the callback would wait for the clients that live on.
    this.#server.close();
  }

  #accept(socket: Socket): void {
    this.#accepted++;
    const peer = clientPeer(socket, this.address.kind);
    if (peer === undefined) {
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    const client = new NodeConnection(socket, peer, this.#deps.setTimer);
    if (this.#waiting.length >= this.#deps.waitingLimit && this.#paused) {
      client.reset();
      return;
    }
    this.#waiting.push(client);
    this.#handOver();
  }

  #handOver(): void {
    while (!this.#paused) {
      const client = this.#waiting.shift();
      if (client === undefined) return;
      this.#onClient(client);
    }
  }
}

const MAPPED_IPV4 = '::ffff:';

function clientPeer(socket: Socket, kind: Address['kind']): Peer | undefined {
  if (kind === 'unix') return { kind, address: '', port: 0 };
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  // A listener on every address sees IPv4 clients in IPv6 clothes.
  const isMapped = remoteAddress.startsWith(MAPPED_IPV4) && remoteAddress.includes('.');
  return {
    kind,
    address: isMapped ? remoteAddress.slice(MAPPED_IPV4.length) : remoteAddress,
    port: remotePort,
  };
}
