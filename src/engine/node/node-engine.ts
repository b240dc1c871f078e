/**
 * The `node` engine: sockets and relay over net.Server and net.Socket, on any operating system.
 *
 * Place: the composition of this folder behind the contract in ../engine.ts; one per data plane thread.
 * Invariants: nothing here logs or throws on the data path; no state is shared between two engines.
 */
import type { Socket } from 'node:net';

import { Lb4Error } from '../../errors.ts';
import type { Address } from '../../support/address.ts';
import type { Connection, Engine } from '../engine.ts';
import type { OwnerTable } from '../epoll/descriptors.ts';
import type { Libc } from '../../linux/libc.ts';
import { hush } from '../../linux/silence.ts';
import { sinceHandshake } from '../../linux/since-handshake.ts';
import { descriptorOf } from '../../support/descriptor.ts';
import { openSocket } from './open-socket.ts';
import { connectNode } from './node-connect.ts';
import { NodeConnection } from './node-connection.ts';
import { listenNode } from './node-listener.ts';
import { startRelay, type CoarseClock } from './node-relay.ts';
import { LateKeepalives } from '../late-keepalive.ts';
import { sourcesFor } from '../sources.ts';
import type { EarlyOptions } from '../../support/socket.ts';
import { ReadBuffers } from './read-buffers.ts';
import { Poller } from '../poller.ts';
import { Room, WAITING_LIMIT } from '../room.ts';
import { createSendQueues } from './send-queues.ts';
import { Turns } from './turns.ts';
import { connectTls } from '../tls/connect-tls.ts';
import { createNodeTls, ownTls } from '../tls/node-tls.ts';
import { setUnrefTimer, type SetTimer } from '../../support/timer.ts';

export interface NodeEngineDeps {
  /** Milliseconds of a monotonic clock, updated by its owner as often as `lastActivityMs` has to be exact. */
  readonly clock: CoarseClock;
  /** The same, exact; default: the coarse one. */
  readonly now?: () => number;
  /**
   * How many clients can wait at paused listeners, together with the connections that `finish` still keeps; default
   * 1024. Beyond that they are reset.
   */
  readonly waitingLimit?: number;
  /** Default: global timers that do not keep the process alive. */
  readonly setTimer?: SetTimer;
  /** Where the kernel's socket tables are; default `/proc/self/net`. Absent on systems other than Linux. */
  readonly procNet?: string;
  /** Whether clients are taken from Node before it makes streams of them, where that is possible; default true. */
  readonly takesHandles?: boolean;
  /** The C library, where it can be loaded: for what Node cannot do. */
  readonly libc?: Libc | undefined;
  /** Where connections are noted, for a thread that may be ended from outside. Entries outlive their connections. */
  readonly ownerTable?: OwnerTable;
}

/** Of this process's own network namespace. */
export const PROC_NET = '/proc/self/net';

export interface NodeEngine extends Engine {
  /** A socket of Node's that is being connected, for code that speaks a protocol over it. */
  openSocket(address: Address, early?: EarlyOptions): Socket;
}

/** Creates the engine. It holds no resources by itself: listeners, connections and relays do. */
export function createNodeEngine(deps: NodeEngineDeps): NodeEngine {
  const { clock, waitingLimit = WAITING_LIMIT, setTimer = setUnrefTimer, takesHandles = true } = deps;
  const sendQueues = createSendQueues({ setTimer, procNet: deps.procNet ?? PROC_NET, libc: deps.libc });
  const connectionDeps = {
    setTimer,
    room: new Room(waitingLimit),
    buffers: new ReadBuffers(),
    turns: new Turns(),
  };
  const keepalives = new LateKeepalives(clock, setTimer);
  const { ownerTable } = deps;
  const note = (socket: Socket): void => {
    if (ownerTable === undefined) return;
    const fd = descriptorOf(socket);
    if (fd !== undefined) ownerTable.owners[fd] = ownerTable.tag;
  };
  const socketDeps = { ...connectionDeps, libc: deps.libc, clock, keepalives, note };
  const relayDeps = { clock, now: deps.now ?? (() => clock.nowMs), sendQueues, poller: new Poller(setTimer) };

  return {
    name: 'node',
    tls: createNodeTls(connectionDeps, own),
    listen: (where, handlers, options) => listenNode(where, handlers, socketDeps, takesHandles, options),
    waitedMs: client => waitedMs(deps.libc, own(client)),
    drop: client => drop(deps.libc, own(client)),
    connect: (address, options, done) =>
      options.tls === undefined
        ? connectNode(address, options, socketDeps, done)
        : connectTls(address, options, ownTls(options.tls), socketDeps, done),
    relay: (client, backend, handlers, options) =>
      startRelay(own(client), own(backend), relayDeps, handlers, options),
    openSocket: (address, early) => {
      const source = address.kind === 'tcp' ? early?.source : undefined;
      const [from] =
        address.kind === 'tcp' && source !== undefined ? sourcesFor(address, source, undefined) : [];
      return openSocket(address, deps.libc, {}, { early, from });
    },
  };
}

function drop(libc: Libc | undefined, client: NodeConnection): void {
  const fd = descriptorOf(client.kernelSocket);
  if (libc === undefined || fd === undefined || !client.isTcp || hush(libc, fd) !== 'full') client.reset();
  else client.kernelSocket.destroy();
}

function waitedMs(libc: Libc | undefined, { kernelSocket, isTcp }: NodeConnection): number | undefined {
  const fd = descriptorOf(kernelSocket);
  return libc === undefined || fd === undefined || !isTcp ? undefined : sinceHandshake(libc, fd);
}

function own(connection: Connection): NodeConnection {
  if (connection instanceof NodeConnection) return connection;
  throw new Lb4Error('LB4_WRONG_STATE', 'the node engine knows only connections that it has made itself');
}
