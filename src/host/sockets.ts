/**
 * The listening sockets of all listeners, as the host holds them: bound once, one per data plane.
 *
 * Place: `local-host` and `worker-fleet` bind here whatever a plan names, and put the sockets into the plan. Data
 * planes listen on duplicates: while the host keeps its own, a data plane that dies loses no client that waits for it.
 * Invariants:
 * - A point keeps its sockets as long as plans name it, whichever listener has it.
 * - `bind` binds everything that is new, or nothing.
 * - Sockets of a predecessor count as lent until they are owned, and sockets of a successor from then on.
 * - Of a listener that is stopped only lent sockets stay: they would go on taking in clients that no process serves.
 * How many: one for each data plane, but as many as the predecessor had where they are inherited. Then a data plane has
 * several, or shares one.
 */
import type { HandedSockets, ListeningSocket, PassedSocket, SocketOptions } from '../support/socket.ts';
import { fstatSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Engine } from '../engine/engine.ts';
import type { Libc } from '../linux/libc.ts';
import {
  bindListeningSockets,
  closeDescriptor,
  duplicate,
  type ListeningSockets,
} from '../linux/listening-sockets.ts';
import { LISTEN_BACKLOG, listenFailure } from '../linux/listen-failure.ts';
import { replaceSocketOptions } from '../linux/socket-options.ts';
import { refuseNewClients } from '../linux/stop-accepting.ts';
import { PassedSockets } from './passed-sockets.ts';
import { InheritedSockets } from './inherited-sockets.ts';
import { giveAccess, removeIfSame, type SocketFile } from '../linux/socket-file.ts';
import type { OwnedSocket } from '../data/listener/fronts.ts';
import type { BindPoint, ListenerPlan, ListenersPlan } from '../model/listener-plan.ts';
import { formatAddress, type ListenAddress } from '../support/address.ts';

interface Bound {
  readonly sockets: ListeningSockets;
  readonly asked: ListenAddress;
  /** Undefined: not known. */
  readonly options: SocketOptions | undefined;
  /** Another process has the sockets, too. */
  readonly isLent: boolean;
}

/** What this process was given at its start. */
export interface Given {
  /** By the service manager. */
  readonly passed?: readonly PassedSocket[] | undefined;
  /** By the predecessor. */
  readonly handed?: readonly HandedSockets[] | undefined;
}

export class HostSockets {
  readonly #libc: Libc;
  readonly #count: number;
  readonly #passed: PassedSockets;
  readonly #inherited: InheritedSockets;
  readonly #bound = new Map<string, Bound>();
  /** Points whose sockets are still the predecessor's, with the files that come with them. */
  readonly #notOwned = new Map<string, SocketFile | undefined>();

  /**
   * @param count sockets per address: one for each data plane
   * @param given sockets that are taken over instead of binding
   */
  constructor(libc: Libc, count: number, { passed = [], handed = [] }: Given = {}) {
    this.#libc = libc;
    this.#count = count;
    const lent = handed.filter(({ isLent }) => isLent);
    this.#passed = new PassedSockets(libc, [
      ...passed,
      ...lent.flatMap(({ key, name, fds }) => fds.map(fd => ({ key, name, fd }))),
    ]);
    this.#inherited = new InheritedSockets(
      libc,
      handed.filter(({ isLent }) => !isLent),
    );
  }

  /**
   * Binds what is not bound yet, and sets new options on sockets that are bound. Rejects with LB4_LISTEN_FAILED, and
   * then binds nothing.
   */
  async bind(listeners: readonly ListenerPlan[]): Promise<void> {
    const fresh: string[] = [];
    this.#passed.assign(listeners);
    this.#inherited.assign(listeners);
    const wanted = this.wherePlanned({ listeners });
    try {
      for (const { bind, sockets } of wanted) {
        for (const point of bind) if (await this.#bindPoint(point, sockets)) fresh.push(point.key);
      }
      // When nothing else can fail any more: what listens already is not changed for nothing.
      for (const { bind, sockets } of wanted) for (const point of bind) this.#adaptPoint(point, sockets);
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

  /** The listeners with the points at which they listen. */
  wherePlanned(plan?: Pick<ListenersPlan, 'listeners'>): readonly ListenerPlan[] {
    return (plan?.listeners ?? []).map(listener => wherePlanned(listener, key => this.#isLent(key)));
  }

  get keys(): readonly string[] {
    return [...this.#bound.keys()];
  }

  /** The plan with the sockets of the data plane with this index instead of addresses. */
  inPlan(plan: ListenersPlan, index: number): ListenersPlan {
    const listeners = this.wherePlanned(plan).map(listener => ({
      ...listener,
      bind: listener.bind.flatMap(point => {
        const sockets = this.#socketsOf(point.key, index);
        if (sockets.length === 0) return [point];
        return sockets.map((where, i) => ({ key: i === 0 ? point.key : `${point.key} +${i}`, where }));
      }),
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
        .flatMap(({ key }) => this.#socketsOf(key, index))
        .map(socket => ({ listener, socket })),
    );
  }

  /** Points that are bound and at which a plan does not listen. */
  keysBeside(plan: ListenersPlan): readonly string[] {
    const wanted = new Set(this.wherePlanned(plan).flatMap(({ bind }) => bind.map(({ key }) => key)));
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

  /** For a successor: the sockets of these listeners, and those that the service manager has lent. */
  toHandOver(listeners: readonly ListenerPlan[]): readonly HandedSockets[] {
    const own = listeners.flatMap(({ name, bind }) =>
      bind.flatMap(({ key }): HandedSockets[] => {
        const bound = this.#bound.get(key);
        if (bound === undefined || bound.isLent) return [];
        const { fds, file } = bound.sockets;
        return [{ key, name, fds: withoutDuplicates(fds), isLent: false, file }];
      }),
    );
    return [...own, ...this.#passed.toHandOver()];
  }

  /** The successor has taken the sockets of these points: they are lent from now on, and their files are its own. */
  handedOver(keys: readonly string[]): void {
    for (const key of keys) {
      const bound = this.#bound.get(key);
      if (bound === undefined) continue;
      this.#bound.set(key, { ...bound, isLent: true, sockets: { ...bound.sockets, file: undefined } });
    }
  }

  /** The keys that the predecessor knows the sockets by which were taken over from it. The rest is closed here. */
  takenOver(): readonly string[] {
    this.#inherited.closeRest();
    return this.#inherited.taken;
  }

  /** What was taken over from the predecessor is this process's own from now on. */
  own(): void {
    for (const [key, file] of this.#notOwned) {
      const bound = this.#bound.get(key);
      if (bound !== undefined)
        this.#bound.set(key, { ...bound, isLent: false, sockets: { ...bound.sockets, file } });
    }
    this.#notOwned.clear();
  }

  #isLent(key: string): boolean {
    return this.#bound.get(key)?.isLent ?? this.#passed.has(key);
  }

  #socketsOf(key: string, index: number): readonly ListeningSocket[] {
    const bound = this.#bound.get(key);
    if (bound === undefined) return [];
    const { isLent } = bound;
    const { fds, address } = bound.sockets;
    const own =
      fds.length < this.#count
        ? fds.slice(index % fds.length, (index % fds.length) + 1)
        : fds.filter((_, i) => i % this.#count === index);
    return own.map(fd => ({ kind: 'listening', fd, address, isLent }));
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
    const inherited = this.#inherit(where, key);
    if (inherited !== undefined) {
      this.#bound.set(key, inherited);
      return true;
    }
    // `0.0.0.0:80` instead of `:80`: the port is this process's own, and is shared until the old socket is closed.
    const shared = { mayShare: this.#hasPort(where) };
    const sockets = await bindListeningSockets(this.#libc, where, this.#count, options, shared);
    this.#bound.set(key, { sockets, asked: where, options, isLent: false });
    return true;
  }

  #inherit(where: ListenAddress, key: string): Bound | undefined {
    try {
      const inherited = this.#inherited.take(key);
      if (inherited === undefined) return undefined;
      const { address, fds, file } = inherited;
      this.#notOwned.set(key, file);
      // Which options and which access they have is not known: both are set at the end.
      const asked = where.kind === 'unix' ? { ...where, access: undefined } : where;
      return { sockets: { address, fds }, asked, options: undefined, isLent: true };
    } catch (error) {
      throw listenFailure(where, error);
    }
  }

  /** Throws LB4_LISTEN_FAILED when a unix socket cannot be given the access that is asked for. */
  #adaptPoint({ key, where }: BindPoint, options: SocketOptions): void {
    const before = this.#bound.get(key);
    if (before === undefined || where.kind === 'listening') return;
    const hasOwnFile = before.sockets.file !== undefined || this.#notOwned.get(key) !== undefined;
    try {
      this.#adapt(before, where, options, hasOwnFile);
    } catch (error) {
      throw listenFailure(where, error);
    }
    this.#bound.set(key, { ...before, asked: where, options });
  }

  #hasPort(where: ListenAddress): boolean {
    if (where.kind !== 'tcp') return false;
    if (this.#inherited.hasPort(where.port)) return true;
    return [...this.#bound.values()].some(
      ({ sockets: { address } }) => address.kind === 'tcp' && address.port === where.port,
    );
  }

  #adapt(
    { sockets, asked, options: before }: Bound,
    where: ListenAddress,
    options: SocketOptions,
    hasOwnFile: boolean,
  ): void {
    if (where.kind === 'tcp') {
      if (!isDeepStrictEqual(before, options))
        for (const fd of sockets.fds) replaceSocketOptions(this.#libc, fd, options, before);
      return;
    }
    const { backlog } = options;
    if (before !== undefined && before.backlog !== backlog)
      for (const fd of sockets.fds) this.#libc.listen(fd, backlog ?? LISTEN_BACKLOG);
    if (asked.kind !== 'unix' || where.access === undefined || !hasOwnFile) return;
    if (!isDeepStrictEqual(asked.access, where.access)) giveAccess(where.path, where.access);
  }
}

/** A listener with the points at which it listens: of one that is stopped those whose sockets are lent. */
export function wherePlanned(listener: ListenerPlan, isLent: (key: string) => boolean): ListenerPlan {
  if (listener.isStopped !== true) return listener;
  return { ...listener, bind: listener.bind.filter(({ key }) => isLent(key)) };
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

/** One descriptor for each socket: of a unix socket there is one socket, whatever the number of data planes. */
function withoutDuplicates(fds: readonly number[]): readonly number[] {
  const bySocket = new Map(fds.map(fd => [fstatSync(fd, { bigint: true }).ino, fd]));
  return [...bySocket.values()];
}
