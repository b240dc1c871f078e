/**
 * Listeners that are not configured any more and have sessions left: their slot is free when the last one has ended.
 *
 * Place: a part of `Planes`. A listener of the same name that comes back meanwhile goes on counting in the slot.
 */
import type { ControlledState } from '../shared-memory/shared-state.ts';
import type { SetTimer } from '../support/timer.ts';

/** How often it is looked; a client that waits for a place when its listener goes has one long before two looks. */
const LOOK_MS = 500;
const LOOKS = 2;

export interface LeavingListenersDeps {
  readonly shared: ControlledState;
  readonly setTimer: SetTimer;
  /** Resolves when every data plane has applied what it was given before. */
  settled(): Promise<void>;
}

interface Named {
  readonly listeners: readonly { readonly name: string }[];
}

export class LeavingListeners {
  readonly #deps: LeavingListenersDeps;
  /** How often in a row no session was seen. */
  readonly #names = new Map<string, number>();
  #cancelTimer: (() => void) | undefined;
  #isStopped = false;

  constructor(deps: LeavingListenersDeps) {
    this.#deps = deps;
  }

  /** Listeners have changed. */
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
    for (const [name, looks] of this.#names) {
      const isEmpty = shared.counts.live(shared.slotOfListener(name)) <= 0;
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
