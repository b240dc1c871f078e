/**
 * Backends that were removed while their sessions run on: shown until these have ended, and held in the snapshots
 * as long as they are to be reset.
 *
 * Place: a part of `Upstream`. Their live counts belong to their slots, so one that is added again adopts its own.
 */
import type { LiveCounts } from '../shared-memory/live-counts.ts';
import type { SetTimer } from '../support/timer.ts';
import type { BackendRecord } from './backend-record.ts';

/** How often it is looked whether all sessions are reset. */
const LOOK_MS = 200;

export interface DepartedDeps {
  readonly counts: LiveCounts;
  readonly setTimer: SetTimer;
  /** Somebody may have to leave the snapshots: publish again. */
  onLook(): void;
}

export class Departed {
  readonly #deps: DepartedDeps;
  readonly #records = new Map<string, { readonly record: BackendRecord; readonly reset: boolean }>();
  #cancelTimer: () => void = () => undefined;

  constructor(deps: DepartedDeps) {
    this.#deps = deps;
  }

  /** @param reset whether its sessions are to be reset */
  add(record: BackendRecord, reset: boolean): void {
    this.#records.set(record.settings.id, { record, reset });
  }

  /** It is back. */
  delete(id: string): void {
    this.#records.delete(id);
  }

  /** Those whose sessions run on. */
  running(): BackendRecord[] {
    this.#forgetEmpty();
    return Array.from(this.#records.values(), ({ record }) => record);
  }

  /** For a snapshot: those whose sessions are still to be reset. Calls back later while there are any. */
  resetting(): BackendRecord[] {
    this.#forgetEmpty();
    const resetting = [...this.#records.values()].filter(({ reset }) => reset).map(({ record }) => record);
    this.#cancelTimer();
    if (resetting.length > 0) this.#cancelTimer = this.#deps.setTimer(() => this.#deps.onLook(), LOOK_MS);
    return resetting;
  }

  stop(): void {
    this.#cancelTimer();
  }

  #forgetEmpty(): void {
    for (const [id, { record }] of this.#records) {
      if (this.#deps.counts.live(record.slot) <= 0) this.#records.delete(id);
    }
  }
}
