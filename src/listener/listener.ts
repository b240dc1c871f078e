/**
 * One configured listener: its bound addresses, and the reasons for which it takes no clients for a while.
 *
 * Place: first station of a session. It hands admitted clients on and knows nothing of upstreams.
 * Invariants: it accepts exactly while nothing holds it; holding it makes new clients wait (bounded, see the
 * engine's contract), it does not turn them away. A client that was accepted just when another worker took the last
 * place waits here, before all others.
 */
import type { Connection, Engine, EngineListener, ListeningSocket, SocketOptions } from '../engine/engine.ts';
import type { HoldReason } from '../model/data-event.ts';
import type { Address, ListenAddress } from '../support/address.ts';

export interface ListenerSettings {
  readonly name: string;
  /** Addresses to bind, or sockets that control has bound. */
  readonly bind: readonly (ListenAddress | ListeningSocket)[];
  /** For the clients' sockets. */
  readonly sockets: SocketOptions;
}

export interface ListenerHandlers {
  /** Takes the client, or answers false when there is no place for it; it is offered again later. */
  onClient(client: Connection): boolean;
  onPaused(reason: HoldReason): void;
  onResumed(): void;
  /** A client found no room to wait while the listener was paused; it was reset. */
  onTurnedAway(): void;
  /** The system has no descriptor or memory for another client. */
  onExhausted(): void;
}

export class Listener {
  readonly name: string;
  readonly #settings: ListenerSettings;
  readonly #engine: Engine;
  readonly #handlers: ListenerHandlers;
  readonly #holds = new Set<HoldReason>();
  /** Clients that there was no place for when they were accepted. */
  #waiting: Connection[] = [];
  #goingOn = false;
  #goOnAgain = false;
  #bound: EngineListener[] = [];
  #stopped: Promise<void> | undefined;

  constructor(settings: ListenerSettings, engine: Engine, handlers: ListenerHandlers) {
    this.name = settings.name;
    this.#settings = settings;
    this.#engine = engine;
    this.#handlers = handlers;
  }

  get addresses(): readonly Address[] {
    return this.#bound.map(({ address }) => address);
  }

  get paused(): boolean {
    return this.#holds.size > 0;
  }

  /** Accepted clients that have no session yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Gives up the clients that wait here; they are the caller's. */
  takeWaiting(): readonly Connection[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  /** Binds every address; rejects with the first `LB4_LISTEN_FAILED`, with nothing left bound. */
  async start(): Promise<void> {
    try {
      for (const where of this.#settings.bind) {
        const bound = await this.#listen(where);
        this.#bound.push(bound);
        if (this.paused) bound.pause();
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  hold(reason: HoldReason): void {
    const wasPaused = this.paused;
    this.#holds.add(reason);
    if (wasPaused) return;
    for (const bound of this.#bound) bound.pause();
    this.#handlers.onPaused(reason);
  }

  unhold(reason: HoldReason): void {
    const wasHeld = this.#holds.delete(reason);
    if (this.paused) return;
    if (wasHeld) this.#handlers.onResumed();
    this.#goOn();
  }

  /** Takes every client that had connected already, then closes the addresses. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Takes the clients that wait at a socket whose worker has died, then closes it. */
  async takeClientsOf(socket: ListeningSocket): Promise<void> {
    const bound = await this.#listen(socket);
    await bound.close();
  }

  #listen(where: ListenAddress | ListeningSocket): Promise<EngineListener> {
    const handlers = {
      onClient: (client: Connection) => this.#offer(client),
      onTurnedAway: () => this.#handlers.onTurnedAway(),
      onExhausted: () => this.#handlers.onExhausted(),
    };
    return this.#engine.listen(where, handlers, this.#settings.sockets);
  }

  #offer(client: Connection): void {
    if (this.#waiting.length > 0 || !this.#handlers.onClient(client)) this.#waiting.push(client);
  }

  /** Lets waiting clients in, then new ones, for as long as nothing holds it again. */
  #goOn(): void {
    // A session that ends at once may get here from within `onClient`: the loop that runs goes on.
    this.#goOnAgain = true;
    if (this.#goingOn) return;
    this.#goingOn = true;
    while (this.#goOnAgain) {
      this.#goOnAgain = false;
      this.#serveWaiting();
      for (const bound of this.#bound) if (!this.paused && this.#waiting.length === 0) bound.resume();
    }
    this.#goingOn = false;
  }

  #serveWaiting(): void {
    while (!this.paused) {
      const [client] = this.#waiting;
      if (client === undefined || !this.#handlers.onClient(client)) return;
      this.#waiting.shift();
    }
  }

  async #stop(): Promise<void> {
    this.#holds.clear();
    await Promise.all(this.#bound.map(bound => bound.close()));
    this.#bound = [];
  }
}
