/**
 * One configured listener: the addresses that it listens at, and the reasons for which it pauses.
 *
 * Place: first station of a session. It hands admitted clients on and knows nothing of upstreams.
 * Invariants:
 * - It accepts exactly while nothing holds it.
 * - While it is held, new clients wait (bounded, see the engine's contract) and are not turned away.
 * - A client that was accepted just when another worker took the last place waits here, before all others.
 * - Where nothing has paused, no client is asked for how long it has waited.
 */
import type { ListeningSocket, SocketOptions } from '../../support/socket.ts';
import type { Connection, Engine, EngineListener } from '../../engine/engine.ts';
import type { HoldReason } from '../../model/data-event.ts';
import type { BindPoint } from '../../model/listener-plan.ts';
import { formatAddress, type Address, type ListenAddress } from '../../support/address.ts';

export interface ListenerHandlers {
  /** Takes the client, or answers false when there is no place for it; it is offered again later. */
  onClient(client: Connection): boolean;
  onPaused(reason: HoldReason): void;
  onResumed(): void;
  /** A client was let in that has waited while the listener was paused. */
  onWaited(ms: number): void;
  now(): number;
  /** A client found no room to wait while the listener was paused, and was reset. */
  onTurnedAway(): void;
  /** The system has no descriptor or memory for another client. */
  onExhausted(): void;
  /**
   * An address has stopped listening because of something outside lb4; the engine repairs that, and `code` is why it
   * cannot yet.
   */
  onBroken(address: string, code: string | undefined): void;
  onMended(address: string): void;
}

export class Listener {
  readonly name: string;
  readonly #engine: Engine;
  readonly #handlers: ListenerHandlers;
  readonly #holds = new Set<HoldReason>();
  /** Clients for which there was no place when they were accepted. */
  #waiting: Connection[] = [];
  #goingOn = false;
  #goOnAgain = false;
  /** The addresses at which clients may have waited since the last pause, and when that ended. */
  readonly #backlogged = new Set<EngineListener>();
  #resumedMs = Infinity;
  /** By the keys of their points. */
  readonly #bound = new Map<string, EngineListener>();
  /** The keys of those whose sockets stay open elsewhere. */
  readonly #lent = new Set<string>();

  constructor(name: string, engine: Engine, handlers: ListenerHandlers) {
    this.name = name;
    this.#engine = engine;
    this.#handlers = handlers;
  }

  get addresses(): readonly Address[] {
    return Array.from(this.#bound.values(), ({ address }) => address);
  }

  /** The keys of the points that it listens at. */
  get keys(): readonly string[] {
    return [...this.#bound.keys()];
  }

  get paused(): boolean {
    return this.#holds.size > 0;
  }

  /** Accepted clients that have no session yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Gives up the clients that wait here; the caller owns them now. */
  takeWaiting(): readonly Connection[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  /**
   * Listens at a point, unless it does already; then only whether its socket is lent may change. Rejects with
   * `LB4_LISTEN_FAILED`.
   * @param sockets for the clients' sockets
   */
  async open({ key, where }: BindPoint, sockets: SocketOptions): Promise<void> {
    if (!this.#bound.has(key)) {
      const bound = await this.#listen(where, sockets);
      this.#bound.set(key, bound);
      if (this.paused) this.#pause(bound);
    }
    if (where.kind === 'listening' && where.isLent === true) this.#lent.add(key);
    else this.#lent.delete(key);
  }

  /**
   * Stops listening at a point: takes every client that had connected already, then closes it. Clients that wait at a
   * socket which stays open elsewhere are left to those who have it.
   */
  async close(key: string): Promise<void> {
    if (this.#lent.has(key)) {
      this.release(key);
      return;
    }
    const bound = this.#bound.get(key);
    this.#bound.delete(key);
    await bound?.close();
    if (bound !== undefined) this.#backlogged.delete(bound);
  }

  /** Leaves a point, with the clients that wait there, to another listener that has its socket, too. */
  release(key: string): void {
    const bound = this.#bound.get(key);
    bound?.release();
    if (bound !== undefined) this.#backlogged.delete(bound);
    this.#bound.delete(key);
    this.#lent.delete(key);
  }

  hold(reason: HoldReason): void {
    const wasPaused = this.paused;
    this.#holds.add(reason);
    if (wasPaused) return;
    for (const bound of this.#bound.values()) this.#pause(bound);
    this.#handlers.onPaused(reason);
  }

  /** Nothing holds it any more. */
  clearHolds(): void {
    for (const reason of [...this.#holds]) this.unhold(reason);
  }

  unhold(reason: HoldReason): void {
    const wasHeld = this.#holds.delete(reason);
    if (this.paused) return;
    if (wasHeld) {
      this.#resumedMs = this.#handlers.now();
      this.#handlers.onResumed();
    }
    this.#goOn();
  }

  /** `close` for all its addresses; nothing holds it any more. */
  async stop(): Promise<void> {
    this.#holds.clear();
    await Promise.all(this.keys.map(key => this.close(key)));
  }

  /** Takes the clients that wait at a socket whose worker has died, then closes it. */
  async takeClientsOf(socket: ListeningSocket): Promise<void> {
    const bound = await this.#listen(socket, {});
    await bound.close();
  }

  async #listen(where: ListenAddress | ListeningSocket, sockets: SocketOptions): Promise<EngineListener> {
    const handlers = {
      onClient: (client: Connection) => this.#offer(client, bound),
      onTurnedAway: () => this.#handlers.onTurnedAway(),
      onExhausted: () => this.#handlers.onExhausted(),
      onBroken: (code: string | undefined) => this.#handlers.onBroken(formatAddress(bound.address), code),
      onMended: () => this.#handlers.onMended(formatAddress(bound.address)),
    };
    const bound = await this.#engine.listen(where, handlers, sockets);
    return bound;
  }

  #pause(bound: EngineListener): void {
    this.#backlogged.add(bound);
    bound.pause();
  }

  #offer(client: Connection, bound: EngineListener): void {
    if (this.#waiting.length > 0) {
      this.#waiting.push(client);
      return;
    }
    const waitedMs = this.#backlogged.has(bound) ? this.#waited(client) : undefined;
    // Clients come in the order in which they have connected: those behind it have not waited, either.
    if (waitedMs === undefined) this.#backlogged.delete(bound);
    if (!this.#handlers.onClient(client)) this.#waiting.push(client);
    else if (waitedMs !== undefined) this.#handlers.onWaited(waitedMs);
  }

  /** Undefined: it has come when the listener was not paused any more, or there is no telling. */
  #waited(client: Connection): number | undefined {
    const waitedMs = this.#engine.waitedMs(client);
    const sinceMs = this.paused ? 0 : this.#handlers.now() - this.#resumedMs;
    return waitedMs !== undefined && waitedMs > sinceMs ? waitedMs : undefined;
  }

  /** Lets waiting clients in, then new ones, until something holds it again. */
  #goOn(): void {
    // A session that ends at once may call this from within `onClient`: then the running loop goes on.
    this.#goOnAgain = true;
    if (this.#goingOn) return;
    this.#goingOn = true;
    while (this.#goOnAgain) {
      this.#goOnAgain = false;
      this.#serveWaiting();
      for (const bound of this.#bound.values())
        if (!this.paused && this.#waiting.length === 0) bound.resume();
    }
    this.#goingOn = false;
  }

  #serveWaiting(): void {
    while (!this.paused) {
      const [client] = this.#waiting;
      if (client === undefined) return;
      const waitedMs = this.#engine.waitedMs(client);
      if (!this.#handlers.onClient(client)) return;
      if (waitedMs !== undefined) this.#handlers.onWaited(waitedMs);
      this.#waiting.shift();
    }
  }
}
