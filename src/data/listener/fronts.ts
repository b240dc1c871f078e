/**
 * All listeners of one data plane, as the last plan wants them.
 *
 * Place: the data plane applies plans to it and takes its clients. Fronts of listeners that have gone stay here while
 * sessions run, or clients wait, that came in through them.
 * Invariants:
 * - A listener that is named again goes on as it was.
 * - New sockets are opened before old ones are closed, so that a listener of another name takes over an address without
 *   a gap.
 */
import type { ListeningSocket } from '../../support/socket.ts';
import type { Connection } from '../../engine/engine.ts';
import type { HoldReason } from '../../model/data-event.ts';
import type { ListenerPlan } from '../../model/listener-plan.ts';
import type { Address } from '../../support/address.ts';
import { Front, type FrontDeps } from './front.ts';

export interface FrontsDeps<U> extends FrontDeps<U> {
  /** The system has no descriptor or memory for another client. */
  onExhausted(): void;
}

/** A socket of one of a listener's addresses. */
export interface OwnedSocket {
  readonly listener: string;
  readonly socket: ListeningSocket;
}

export class Fronts<U> {
  readonly #deps: FrontsDeps<U>;
  /** In the order of the configuration. */
  #current: ReadonlyMap<string, Front<U>> = new Map();
  readonly #left = new Map<string, Front<U>>();
  /** The reasons that hold all listeners, also those to come. */
  readonly #holds = new Set<HoldReason>();
  /** Which listener is unheld first when the instance has room again; they take turns. */
  #firstUnheld = 0;

  constructor(deps: FrontsDeps<U>) {
    this.#deps = deps;
  }

  isPaused(listener: string): boolean {
    return this.#current.get(listener)?.listener.paused === true;
  }

  addressesOf(listener: string): readonly Address[] {
    return this.#current.get(listener)?.listener.addresses ?? [];
  }

  /** Names of listeners that have gone and are still in use. */
  get left(): readonly string[] {
    return [...this.#left.keys()];
  }

  /** No accepted client waits for a place. */
  get isEmpty(): boolean {
    return this.#all().every(({ listener }) => listener.waiting === 0);
  }

  /**
   * Listens as planned; rejects with LB4_LISTEN_FAILED.
   * @param elsewhere keys of points that are left to other data planes, with the clients that wait there
   */
  async apply(plans: readonly ListenerPlan[], elsewhere: readonly string[] = []): Promise<void> {
    const before = [...this.#current.values()];
    const after = new Map(plans.map(plan => [plan.name, this.#frontOf(plan)]));
    const owners = new Map(plans.flatMap(({ name, bind }) => bind.map(({ key }) => [key, name])));
    const others = new Set(elsewhere);
    this.#current = after;
    for (const front of before) if (!after.has(front.name)) this.#left.set(front.name, front);
    // Where the host has not bound them, a listener has to close an address before another can take it.
    const own = new Set(
      plans.flatMap(({ bind }) =>
        bind.filter(({ where }) => where.kind !== 'listening').map(({ key }) => key),
      ),
    );
    await this.#close(before, (key, name) => own.has(key) && owners.get(key) !== name);
    for (const front of after.values()) await front.open();
    for (const { name, listener } of before)
      for (const key of listener.keys)
        if (others.has(key) || (owners.has(key) && owners.get(key) !== name)) listener.release(key);
    await this.#close(before, key => !owners.has(key));
    for (const front of before) this.#forgetIfUnused(front);
  }

  /** Takes the clients that had connected already, then no more. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all(this.#all().map(({ listener }) => listener.stop()));
  }

  /** Sockets of a worker that has died: takes the clients that wait there, then closes the sockets. */
  async takeClientsOf(sockets: readonly OwnedSocket[]): Promise<void> {
    const taking = sockets.flatMap(
      ({ listener, socket }) => this.#current.get(listener)?.listener.takeClientsOf(socket) ?? [],
    );
    await Promise.all(taking);
  }

  /** Gives up the clients that wait for a place. */
  takeWaiting(): readonly { readonly front: Front<U>; readonly client: Connection }[] {
    return this.#all().flatMap(front => front.listener.takeWaiting().map(client => ({ front, client })));
  }

  /** A session that came in here has ended, and holds nothing any more but its places. */
  leave(front: Front<U>): void {
    front.sessions -= 1;
    for (const place of front.places) place.leave();
    this.#forgetIfUnused(front);
  }

  holdAll(reason: HoldReason): void {
    this.#holds.add(reason);
    for (const { listener } of this.#all()) listener.hold(reason);
  }

  unholdAll(reason: HoldReason): void {
    this.#holds.delete(reason);
    for (const { listener } of this.#all()) listener.unhold(reason);
  }

  /** Unholds one listener after the other: the clients that wait at the first may fill the instance again. */
  unholdInTurn(reason: HoldReason, isFull: () => boolean): void {
    this.#holds.delete(reason);
    const fronts = this.#all();
    const count = fronts.length;
    for (let i = 0; i < count && !isFull(); i++) {
      fronts[(this.#firstUnheld + i) % count]?.listener.unhold(reason);
    }
    this.#firstUnheld = count === 0 ? 0 : (this.#firstUnheld + 1) % count;
  }

  /** Another worker has freed a place. */
  recheckLimits(): void {
    for (const { limit } of this.#all()) limit.recheck();
  }

  #all(): Front<U>[] {
    return [...this.#current.values(), ...this.#left.values()];
  }

  async #close(
    fronts: readonly Front<U>[],
    isUnwanted: (key: string, name: string) => boolean,
  ): Promise<void> {
    await Promise.all(
      fronts.flatMap(({ name, listener }) =>
        listener.keys.filter(key => isUnwanted(key, name)).map(key => listener.close(key)),
      ),
    );
  }

  #forgetIfUnused(front: Front<U>): void {
    const isUsed = front.sessions > 0 || front.listener.waiting > 0 || front.listener.keys.length > 0;
    if (isUsed || this.#left.get(front.name) !== front) return;
    this.#left.delete(front.name);
    front.listener.clearHolds();
  }

  #frontOf(plan: ListenerPlan): Front<U> {
    const { name } = plan;
    const front = this.#current.get(name) ?? this.#left.get(name);
    if (front === undefined) return this.#create(plan);
    this.#left.delete(name);
    front.configure(plan);
    return front;
  }

  #create(plan: ListenerPlan): Front<U> {
    const { name: listener } = plan;
    const { report } = this.#deps;
    const front = new Front(plan, this.#deps, {
      onPaused: reason => report({ kind: 'listenerPaused', listener, reason }),
      onResumed: () => report({ kind: 'listenerResumed', listener }),
      onTurnedAway: () => report({ kind: 'turnedAway', listener, times: 1 }),
      onExhausted: () => this.#deps.onExhausted(),
      onBroken: (address, code) => report({ kind: 'listenerBroken', listener, address, code }),
      onMended: address => report({ kind: 'listenerMended', listener, address }),
    });
    for (const reason of this.#holds) front.listener.hold(reason);
    return front;
  }
}
