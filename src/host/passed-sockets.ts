/**
 * Listening sockets that this process was given at its start, and which listener takes over each of them.
 *
 * Place: `sockets.ts` asks here before it binds an address.
 * Which one: a socket that has the address of a listener stands for that address. One with the name of a listener
 * stands for the first of its addresses that is left. A socket for which neither is found refuses the start: the one
 * who passed it keeps it open, and its clients would wait for ever. One that comes from a predecessor is kept instead,
 * because it was left over there as well.
 * Invariants:
 * - A descriptor that was passed stays open as long as the process; what is used are duplicates. A listener that is taken
 *   out of the configuration and comes back gets the same socket again.
 * - Nothing is done to a socket that would outlast this process, but for the options that its clients need.
 */
import type { HandedSockets, PassedSocket, SocketOptions } from '../support/socket.ts';
import { Lb4Error, wordsOf } from '../errors.ts';
import type { Libc } from '../linux/libc.ts';
import { closeDescriptor, duplicate, type ListeningSockets } from '../linux/listening-sockets.ts';
import { adaptPassedSocket, describePassedSocket, type PassedAddress } from '../linux/passed-socket.ts';
import type { BindPoint, ListenerPlan } from '../model/listener-plan.ts';
import { formatAddress } from '../support/address.ts';

interface Found extends PassedSocket, PassedAddress {}

export class PassedSockets {
  readonly #libc: Libc;
  #unassigned: readonly PassedSocket[];
  /** By the keys of their points. */
  readonly #assigned = new Map<string, Found>();

  constructor(libc: Libc, passed: readonly PassedSocket[]) {
    this.#libc = libc;
    this.#unassigned = passed;
  }

  /**
   * The first call decides for good. Throws LB4_LISTEN_FAILED for a socket that is none to listen with, or that no
   * listener wants.
   */
  assign(listeners: readonly ListenerPlan[]): void {
    const passed = this.#unassigned;
    this.#unassigned = [];
    const found = passed.map(socket => this.#describe(socket));
    const points = listeners.flatMap(({ name, bind }) => bind.map(point => ({ name, point })));
    const left = found.filter(socket => {
      const same = points.filter(({ point }) => isAt(point, socket) && !this.#assigned.has(point.key));
      // `:80` rather than `[::]:80`, where both could be meant.
      const [best] = same.sort((a, b) => hostLength(a.point) - hostLength(b.point));
      if (best !== undefined) this.#assigned.set(best.point.key, socket);
      return best === undefined;
    });
    for (const socket of left) {
      const free = points.find(({ name, point }) => name === socket.name && !this.#assigned.has(point.key));
      const key = free?.point.key ?? socket.key;
      if (key === undefined) throw unwanted(socket, points);
      if (!this.#assigned.has(key)) this.#assigned.set(key, socket);
    }
  }

  /** Whether a socket was passed for this point. */
  has(key: string): boolean {
    return this.#assigned.has(key);
  }

  /** For a successor: all of them, in use or not. */
  toHandOver(): readonly HandedSockets[] {
    return Array.from(this.#assigned, ([key, { fd, name }]) => ({ key, name, fds: [fd], isLent: true }));
  }

  /**
   * Duplicates of the socket for this point; undefined where none was passed. Throws LB4_LISTEN_FAILED.
   * @param options for the clients' sockets
   */
  take(key: string, count: number, options: SocketOptions): ListeningSockets | undefined {
    const socket = this.#assigned.get(key);
    if (socket === undefined) return undefined;
    const fds: number[] = [];
    try {
      adaptPassedSocket(this.#libc, socket.fd, socket.address, options);
      while (fds.length < count) fds.push(duplicate(this.#libc, socket.fd));
      return { address: socket.address, fds };
    } catch (error) {
      for (const fd of fds) closeDescriptor(this.#libc, fd);
      throw failure(socket, `${formatAddress(socket.address)}: ${wordsOf(error)}`, error);
    }
  }

  #describe(socket: PassedSocket): Found {
    const described = describePassedSocket(this.#libc, socket.fd);
    if (!described.ok) throw failure(socket, described.reason);
    return { ...socket, ...described.socket };
  }
}

/** Whether a socket has the address of a point. */
export function isAt({ where }: BindPoint, { address, isDualStack }: PassedAddress): boolean {
  if (where.kind === 'listening' || where.kind !== address.kind) return false;
  if (where.kind === 'unix' || address.kind === 'unix')
    return formatAddress(where) === formatAddress(address);
  if (where.port !== address.port) return false;
  return where.host === '' ? isDualStack : where.host === address.host;
}

function hostLength({ where }: BindPoint): number {
  return where.kind === 'tcp' ? where.host.length : 0;
}

function unwanted(socket: Found, points: readonly { name: string; point: BindPoint }[]): Lb4Error {
  const named = points.some(({ name }) => name === socket.name);
  const why = named
    ? `listener ${socket.name} has an own socket for each of its addresses already`
    : `no listener is at this address${socket.name === '' ? '' : `, and none is named ${socket.name}`}`;
  return failure(socket, `${formatAddress(socket.address)}: ${why}`);
}

function failure({ fd, name }: PassedSocket, why: string, cause?: unknown): Lb4Error {
  const called = name === '' ? '' : ` (${name})`;
  const message = `cannot use the socket that was passed as descriptor ${fd}${called}: ${why}`;
  return new Lb4Error('LB4_LISTEN_FAILED', message, cause === undefined ? {} : { cause });
}
