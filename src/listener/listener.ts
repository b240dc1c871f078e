/**
 * One configured listener: its bound addresses, and the reasons for which it takes no clients for a while.
 *
 * Place: first station of a session. It hands admitted clients on and knows nothing of upstreams.
 * Invariants: it accepts exactly while nothing holds it; holding it makes new clients wait (bounded, see the
 * engine's contract), it does not turn them away.
 */
import type { Connection, Engine, EngineListener } from '../engine/engine.ts';
import type { Address } from '../support/address.ts';

export interface ListenerSettings {
  readonly name: string;
  readonly bind: readonly Address[];
}

/** Why a listener takes no clients: its own limit, the instance's, or a machine out of descriptors or memory. */
export const HOLD_REASONS = ['listenerLimit', 'instanceLimit', 'localResources'] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

export interface ListenerHandlers {
  onClient(client: Connection): void;
  onListening(address: Address): void;
  onPaused(reason: HoldReason): void;
  onResumed(): void;
  /** A client found no room to wait while the listener was paused; it was reset. */
  onTurnedAway(): void;
}

export class Listener {
  readonly name: string;
  readonly #bind: readonly Address[];
  readonly #engine: Engine;
  readonly #handlers: ListenerHandlers;
  readonly #holds = new Set<HoldReason>();
  #bound: EngineListener[] = [];
  #stopped: Promise<void> | undefined;

  constructor(settings: ListenerSettings, engine: Engine, handlers: ListenerHandlers) {
    this.name = settings.name;
    this.#bind = settings.bind;
    this.#engine = engine;
    this.#handlers = handlers;
  }

  get addresses(): readonly Address[] {
    return this.#bound.map(({ address }) => address);
  }

  get paused(): boolean {
    return this.#holds.size > 0;
  }

  /** Binds every address; rejects with the first `LB4_LISTEN_FAILED`, with nothing left bound. */
  async start(): Promise<void> {
    try {
      for (const address of this.#bind) {
        const bound = await this.#engine.listen(address, {
          onClient: client => this.#handlers.onClient(client),
          onTurnedAway: () => this.#handlers.onTurnedAway(),
        });
        this.#bound.push(bound);
        if (this.paused) bound.pause();
        this.#handlers.onListening(bound.address);
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
    if (!this.#holds.delete(reason) || this.paused) return;
    this.#handlers.onResumed();
    // Whoever waited at one address may fill the listener again before the next one is resumed.
    for (const bound of this.#bound) if (this.#holds.size === 0) bound.resume();
  }

  /** Takes every client that had connected already, then closes the addresses. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#holds.clear();
    await Promise.all(this.#bound.map(bound => bound.close()));
    this.#bound = [];
  }
}
