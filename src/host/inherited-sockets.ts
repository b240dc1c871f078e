/**
 * Listening sockets of a predecessor that this process replaces, and which bind point takes over which of them.
 *
 * Place: `sockets.ts` asks here before it binds an address. Sockets that a service manager has lent come through
 * `passed-sockets.ts` instead.
 * Invariants:
 * - A point takes all sockets that its predecessor had there: clients wait in the queue of each.
 * - Until the predecessor lets go of them they are used and not owned: whatever becomes of this process, the
 *   predecessor's clients see nothing of it.
 */
import type { HandedSockets } from '../support/socket.ts';
import { closeDescriptor } from '../linux/listening-sockets.ts';
import { adaptPassedSocket, describePassedSocket, type PassedAddress } from '../linux/passed-socket.ts';
import type { SocketFile } from '../linux/socket-file.ts';
import type { Libc } from '../linux/libc.ts';
import type { BindPoint, ListenerPlan } from '../model/listener-plan.ts';
import type { Address } from '../support/address.ts';
import { isAt } from './passed-sockets.ts';
import { isMptcp } from '../model/listener-plan.ts';

interface Found extends PassedAddress {
  readonly handed: HandedSockets;
}

/** Sockets that a point has taken over. */
export interface Inherited {
  readonly address: Address;
  readonly fds: readonly number[];
  readonly file: SocketFile | undefined;
}

export class InheritedSockets {
  readonly #libc: Libc;
  #unassigned: readonly HandedSockets[];
  #left: readonly Found[] = [];
  /** By the keys of the points that take them. */
  readonly #assigned = new Map<string, Found>();

  constructor(libc: Libc, handed: readonly HandedSockets[]) {
    this.#libc = libc;
    this.#unassigned = handed;
  }

  /** The first call decides for good: by the key, or else by the address. */
  assign(listeners: readonly ListenerPlan[]): void {
    const handed = this.#unassigned;
    this.#unassigned = [];
    const points = listeners.flatMap(({ bind }) => bind);
    const found = handed.flatMap(each => this.#describe(each));
    const claim = (socket: Found, isFor: (point: BindPoint) => boolean): boolean => {
      const point = points.find(each => isFor(each) && !this.#assigned.has(each.key));
      if (point !== undefined) this.#assigned.set(point.key, socket);
      return point === undefined;
    };
    this.#left = found
      .filter(socket => claim(socket, ({ key }) => key === socket.handed.key))
      // A socket cannot become one of MPTCP, nor one of TCP: another is bound beside it.
      .filter(socket =>
        claim(socket, point => isAt(point, socket) && isMptcp(point.key) === isMptcp(socket.handed.key)),
      );
  }

  /** The keys that the predecessor knows the sockets by which are in use here. */
  get taken(): readonly string[] {
    return Array.from(this.#assigned.values(), ({ handed }) => handed.key);
  }

  /** Whether the predecessor listens at this port. */
  hasPort(port: number): boolean {
    return [...this.#left, ...this.#assigned.values()].some(
      ({ address }) => address.kind === 'tcp' && address.port === port,
    );
  }

  /** Undefined where there are none for this point. Throws what the system says. */
  take(key: string): Inherited | undefined {
    const found = this.#assigned.get(key);
    if (found === undefined) return undefined;
    const { address, handed } = found;
    for (const fd of handed.fds) adaptPassedSocket(this.#libc, fd, address);
    return { address, fds: handed.fds, file: handed.file };
  }

  /** Leaves what no point has taken to the predecessor alone. */
  closeRest(): void {
    for (const { handed } of this.#left) for (const fd of handed.fds) closeDescriptor(this.#libc, fd);
    this.#left = [];
  }

  #describe(handed: HandedSockets): Found[] {
    const described = describePassedSocket(this.#libc, handed.fds[0] ?? -1);
    if (described.ok) return [{ handed, ...described.socket }];
    for (const fd of handed.fds) closeDescriptor(this.#libc, fd);
    return [];
  }
}
