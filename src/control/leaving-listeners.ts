/**
 * Listeners that are not configured any more and have sessions left: a listener's slot is freed when its last session
 * has ended.
 *
 * Place: a part of `Planes`. A listener of the same name that comes back meanwhile goes on counting in the slot.
 */
import type { ControlledState } from '../shared-memory/shared-state.ts';
import type { SetTimer } from '../support/timer.ts';

/** Interval of the looks, and in how many of them in a row no client must be left. */
const LOOK_MS = 500;
const LOOKS = 2;

export interface LeavingListenersDeps {
  readonly shared: ControlledState;
  readonly setTimer: SetTimer;
  /** Resolves when every data plane has applied the plans it was given before. */
  settled(): Promise<void>;
  /** Listeners that have gone and have clients left in some data plane, also such that wait for a place. */
  leftListeners(): Promise<readonly string[]>;
}

interface Named {
  readonly listeners: readonly { readonly name: string }[];
}

export class LeavingListeners {
  readonly #deps: LeavingListenersDeps;
  /** By name of the listener: looks in a row that saw no session. */
  readonly #names = new Map<string, number>();
  #cancelTimer: (() => void) | undefined;
  #isStopped = false;

  constructor(deps: LeavingListenersDeps) {
    this.#deps = deps;
  }

  /** Called before listeners change: those of the new configuration keep their slots. */
  keep(config: Named): void {
    for (const { name } of config.listeners) this.#names.delete(name);
  }

  /** Called when the listeners have changed. */
  follow(before: Named, after: Named): void {
    for (const { name } of before.listeners) this.#names.set(name, 0);
    for (const { name } of after.listeners) this.#names.delete(name);
    this.#lookSoon();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  #lookSoon(): void {
    if (this.#names.size === 0 || this.#isStopped) return;
    this.#cancelTimer ??= this.#deps.setTimer(() => {
      this.#cancelTimer = undefined;
      void this.#look();
    }, LOOK_MS);
  }

  async #look(): Promise<void> {
    const { shared } = this.#deps;
    await this.#deps.settled();
    const left = await this.#deps.leftListeners();
    for (const [name, looks] of this.#names) {
      const isEmpty = !left.includes(name) && shared.counts.live(shared.slotOfListener(name)) <= 0;
      if (isEmpty && looks + 1 >= LOOKS) {
        this.#names.delete(name);
        shared.freeListener(name);
      } else {
        this.#names.set(name, isEmpty ? looks + 1 : 0);
      }
    }
    this.#lookSoon();
  }
}
