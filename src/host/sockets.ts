/**
 * The listening sockets of all listeners, as the host holds them: bound once, one per data plane.
 *
 * Place: `local-host` and `worker-fleet` bind here whatever a plan names, and put the sockets into the plan. Data
 * planes listen on duplicates: while the host keeps its own, a data plane that dies loses no client that waits for it.
 * Invariants:
 * - A point keeps its sockets as long as plans name it, whichever listener has it.
 * - `bind` binds everything that is new, or nothing.
 */
import type { ListeningSocket, PassedSocket, SocketOptions } from '../support/socket.ts';
import { isDeepStrictEqual } from 'node:util';
import type { Engine } from '../engine/engine.ts';
import type { Libc } from '../linux/libc.ts';
import {
  bindListeningSockets,
  closeDescriptor,
  duplicate,
  type ListeningSockets,
} from '../linux/listening-sockets.ts';
import { listenFailure } from '../linux/listen-failure.ts';
import { replaceSocketOptions } from '../linux/socket-options.ts';
import { refuseNewClients } from '../linux/stop-accepting.ts';
import { PassedSockets } from './passed-sockets.ts';
import { giveAccess, removeIfSame } from '../linux/socket-file.ts';
import type { OwnedSocket } from '../data/listener/fronts.ts';
import type { BindPoint, ListenerPlan, ListenersPlan } from '../model/listener-plan.ts';
import { formatAddress, type ListenAddress } from '../support/address.ts';

interface Bound {
  readonly sockets: ListeningSockets;
  readonly asked: ListenAddress;
  readonly options: SocketOptions;
  /** Others have the sockets, too. */
  readonly isLent: boolean;
}

export class HostSockets {
  readonly #libc: Libc;
  readonly #count: number;
  readonly #passed: PassedSockets;
  readonly #bound = new Map<string, Bound>();

  /**
   * @param count sockets per address: one for each data plane
   * @param passed sockets that are taken over instead of binding
   */
  constructor(libc: Libc, count: number, passed: readonly PassedSocket[] = []) {
    this.#libc = libc;
    this.#count = count;
    this.#passed = new PassedSockets(libc, passed);
  }

  /**
   * Binds what is not bound yet, and sets new options on sockets that are bound. Rejects with LB4_LISTEN_FAILED, and
   * then binds nothing.
   */
  async bind(listeners: readonly ListenerPlan[]): Promise<void> {
    const fresh: string[] = [];
    this.#passed.assign(listeners);
    try {
      for (const { bind, sockets } of listeners) {
        for (const point of bind) if (await this.#bindPoint(point, sockets)) fresh.push(point.key);
      }
      // When nothing else can fail any more: what listens already is not changed for nothing.
      for (const { bind, sockets } of listeners) for (const point of bind) this.#adaptPoint(point, sockets);
    } catch (error) {
      this.close(fresh);
      throw error;
    }
  }

  /** The address of a point, as text; '' for one that is not bound. */
  addressOf(key: string): string {
    const bound = this.#bound.get(key);
    return bound === undefined ? '' : formatAddress(bound.sockets.address);
  }

  get keys(): readonly string[] {
    return [...this.#bound.keys()];
  }

  /** The plan with the sockets of the data plane with this index instead of addresses. */
  inPlan(plan: ListenersPlan, index: number): ListenersPlan {
    const listeners = plan.listeners.map(listener => ({
      ...listener,
      bind: listener.bind.map(({ key, where }) => ({ key, where: this.#socketOf(key, index) ?? where })),
    }));
    return { ...plan, listeners };
  }

  /** The sockets at these points that only the data plane with this index has, each with its listener. */
  ownedAt(
    keys: readonly string[],
    index: number,
    listeners: readonly ListenerPlan[],
  ): readonly OwnedSocket[] {
    return listeners.flatMap(({ name: listener, bind }) =>
      bind
        .filter(({ key }) => keys.includes(key) && this.#bound.get(key)?.isLent === false)
        .flatMap(({ key }) => this.#socketOf(key, index) ?? [])
        .map(socket => ({ listener, socket })),
    );
  }

  /** Points that are bound and that a plan does not name. */
  keysBeside({ listeners }: ListenersPlan): readonly string[] {
    const wanted = new Set(listeners.flatMap(({ bind }) => bind.map(({ key }) => key)));
    return this.keys.filter(key => !wanted.has(key));
  }

  /** No new client is let in from now on; clients in the queues can still be accepted. */
  refuseNewClients(keys: readonly string[]): void {
    for (const { sockets, isLent } of this.#of(keys))
      if (!isLent) for (const fd of sockets.fds) refuseNewClients(this.#libc, fd, sockets.address.kind);
  }

  /**
   * Closes the host's sockets, and removes the files of unix sockets that are still its own; the duplicates of data
   * planes stay open.
   */
  close(keys: readonly string[]): void {
    for (const { sockets } of this.#of(keys)) {
      if (sockets.file !== undefined) removeIfSame(sockets.file);
      for (const fd of sockets.fds) closeDescriptor(this.#libc, fd);
    }
    for (const key of keys) this.#bound.delete(key);
  }

  #socketOf(key: string, index: number): ListeningSocket | undefined {
    const bound = this.#bound.get(key);
    if (bound === undefined) return undefined;
    const { fds, address } = bound.sockets;
    return { kind: 'listening', fd: fds[index] ?? -1, address, isLent: bound.isLent };
  }

  #of(keys: readonly string[]): Bound[] {
    return keys.flatMap(key => this.#bound.get(key) ?? []);
  }

  /** True when the point was not bound before. */
  async #bindPoint({ key, where }: BindPoint, options: SocketOptions): Promise<boolean> {
    if (where.kind === 'listening') throw new RangeError('a plan for the host names addresses, not sockets');
    if (this.#bound.has(key)) return false;
    const lent = this.#passed.take(key, this.#count, options);
    if (lent !== undefined) {
      this.#bound.set(key, { sockets: lent, asked: where, options, isLent: true });
      return true;
    }
    // `0.0.0.0:80` instead of `:80`: the port is this process's own, and is shared until the old socket is closed.
    const shared = { mayShare: this.#hasPort(where) };
    const sockets = await bindListeningSockets(this.#libc, where, this.#count, options, shared);
    this.#bound.set(key, { sockets, asked: where, options, isLent: false });
    return true;
  }

  /** Throws LB4_LISTEN_FAILED when a unix socket cannot be given the access that is asked for. */
  #adaptPoint({ key, where }: BindPoint, options: SocketOptions): void {
    const before = this.#bound.get(key);
    if (before === undefined || where.kind === 'listening') return;
    try {
      this.#adapt(before, where, options);
    } catch (error) {
      throw listenFailure(where, error);
    }
    this.#bound.set(key, { ...before, asked: where, options });
  }

  #hasPort(where: ListenAddress): boolean {
    if (where.kind !== 'tcp') return false;
    return [...this.#bound.values()].some(
      ({ sockets: { address } }) => address.kind === 'tcp' && address.port === where.port,
    );
  }

  #adapt({ sockets, asked, options: before }: Bound, where: ListenAddress, options: SocketOptions): void {
    if (where.kind === 'tcp') {
      if (!isDeepStrictEqual(before, options))
        for (const fd of sockets.fds) replaceSocketOptions(this.#libc, fd, options);
    } else if (asked.kind === 'unix' && where.access !== undefined && sockets.file !== undefined) {
      if (!isDeepStrictEqual(asked.access, where.access)) giveAccess(where.path, where.access);
    }
  }
}

/** The same engine for a data plane whose plans name sockets of the host: it listens on duplicates of them. */
export function listeningOnDuplicates(engine: Engine, libc: Libc): Engine {
  return {
    ...engine,
    listen: (where, handlers, options) => {
      const own = where.kind === 'listening' ? { ...where, fd: duplicate(libc, where.fd) } : where;
      return engine.listen(own, handlers, options);
    },
  };
}
