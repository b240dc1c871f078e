/**
 * Accepts clients from a listening socket, and can stop while they wait in the kernel's queue.
 *
 * Place: a part of the listener. How: Node accepts for as long as a handle listens (libuv), so stopping closes the
 * handle. The socket stays, through a second descriptor, and so do its queue and its port; starting again opens a new
 * handle over a third. That takes the C library: without it a socket has one descriptor, and accepting cannot stop.
 * Why the second descriptor belongs to a stream of Node's: when a worker dies, Node closes what belongs to Node.
 */
import { createServer, Socket, type Server } from 'node:net';

import type { Libc } from '../../linux/libc.ts';
import { closeDescriptor, duplicate } from '../../linux/listening-sockets.ts';
import { LISTEN_BACKLOG } from '../../linux/listen-failure.ts';
import { backlogOf } from '../../linux/socket-options.ts';
import type { Address } from '../../support/address.ts';
import { takeHandles, type AcceptedHandle } from './accept.ts';
import { descriptorOf } from '../../support/descriptor.ts';

export interface AcceptorHandlers {
  onHandle(handle: AcceptedHandle): void;
  onSocket(socket: Socket): void;
}

/** 'inherited': the listening socket has what its clients are to have. */
export type NoDelay = false | undefined | 'inherited';

export interface AcceptorForm {
  readonly takesHandles: boolean;
  readonly noDelay?: NoDelay;
  readonly backlog?: number | undefined;
  readonly kind: Address['kind'];
}

export function newServer(noDelay?: NoDelay): Server {
  return createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: noDelay === undefined });
}

export class Acceptor {
  readonly #libc: Libc | undefined;
  readonly #form: AcceptorForm;
  readonly #handlers: AcceptorHandlers;
  readonly #kept: Socket | undefined;
  #server: Server | undefined;

  /**
   * Throws when descriptors have run out.
   * @param server listens; closed with this
   */
  constructor(server: Server, libc: Libc | undefined, form: AcceptorForm, handlers: AcceptorHandlers) {
    this.#libc = libc;
    this.#form = form;
    this.#handlers = handlers;
    const fd = descriptorOf(server);
    this.#kept = libc && fd !== undefined ? keep(libc, fd) : undefined;
    this.#accept(server);
  }

  /** The same descriptor until `close`; undefined where none is known. */
  get fd(): number | undefined {
    return this.#kept && descriptorOf(this.#kept);
  }

  get isAccepting(): boolean {
    return this.#server !== undefined;
  }

  /** Lets clients wait in the kernel's queue; without effect where that is impossible. */
  stop(): void {
    if (this.#kept === undefined) return;
    this.#server?.close();
    this.#server = undefined;
  }

  /** Accepts again. Throws when descriptors have run out. */
  start(): void {
    const fd = this.fd;
    if (this.#server !== undefined || this.#libc === undefined || fd === undefined) return;
    const { noDelay, backlog, kind } = this.#form;
    const server = newServer(noDelay);
    const own = duplicate(this.#libc, fd);
    // Given a descriptor, it listens at once, which sets the length of its queue anew.
    server.listen({ fd: own }, backlogOf(this.#libc, fd, kind) ?? backlog ?? LISTEN_BACKLOG);
    if (descriptorOf(server) === undefined) closeDescriptor(this.#libc, own);
    this.#accept(server);
  }

  /** The descriptors are closed at once. */
  close(): void {
    this.#server?.close();
    this.#kept?.destroy();
  }

  #accept(server: Server): void {
    this.#server = server;
    const handlers = this.#handlers;
    // A failed accept (out of descriptors): the kernel will report it again. Without a listener it ends the process.
    server.on('error', () => undefined);
    const { takesHandles, noDelay } = this.#form;
    if (takesHandles && takeHandles(server, handle => handlers.onHandle(handle), noDelay)) return;
    server.on('connection', socket => handlers.onSocket(socket));
  }
}

/** Another descriptor for the socket, which does nothing but keep it. */
function keep(libc: Libc, fd: number): Socket {
  const own = duplicate(libc, fd);
  try {
    return new Socket({ fd: own, readable: false, writable: false });
  } catch (error) {
    closeDescriptor(libc, own);
    throw error;
  }
}
