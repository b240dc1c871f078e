/**
 * Backends that were removed while their sessions run on. They are shown until these sessions have ended, stay in the
 * plans while the sessions are to be reset, and are forgotten then.
 *
 * Place: a part of `Upstream`. A live count belongs to the slot, so a backend that is added again finds its own.
 * Invariants:
 * - A backend is forgotten once: when it has no session and every data plane has applied a plan in which it gets none.
 *   From then on nothing counts in its slot.
 * - A backend that is added again before that is not forgotten.
 */
import type { LiveCounts } from '../../shared-memory/live-counts.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { BackendRecord } from './backend-record.ts';

/** Interval of the looks whether the sessions have ended. */
const LOOK_MS = 200;

export interface DepartedDeps {
  readonly counts: LiveCounts;
  readonly setTimer: SetTimer;
  /** Resolves when every data plane has applied what was published before. */
  settled(): Promise<void>;
  /** Called when backends have to leave the plans: publish again. */
  onChange(): void;
  /** Called when nothing of a backend is left: its slot can be freed. */
  onForgotten(backend: string): void;
}

interface Entry {
  readonly record: BackendRecord;
  readonly reset: boolean;
  /** `applied`: no data plane sends sessions to it any more. */
  state: 'removed' | 'published' | 'applied';
}

export class Departed {
  readonly #deps: DepartedDeps;
  readonly #entries = new Map<string, Entry>();
  #cancelTimer: (() => void) | undefined;
  #isStopped = false;

  constructor(deps: DepartedDeps) {
    this.#deps = deps;
  }

  /** @param reset whether its sessions are to be reset */
  add(record: BackendRecord, reset: boolean): void {
    this.#entries.set(record.settings.id, { record, reset, state: 'removed' });
  }

  /** Called when a backend is added again. */
  delete(id: string): void {
    this.#entries.delete(id);
  }

  /** Removed backends that still have sessions. */
  running(): BackendRecord[] {
    return this.#withSessions().map(({ record }) => record);
  }

  /** For a plan: removed backends whose sessions are still to be reset. */
  resetting(): BackendRecord[] {
    return this.#withSessions()
      .filter(({ reset }) => reset)
      .map(({ record }) => record);
  }

  /** Called when a plan was published: backends removed before may be forgotten once that plan is applied. */
  published(): void {
    const waiting = [...this.#entries.values()].filter(({ state }) => state === 'removed');
    if (waiting.length === 0) return;
    for (const entry of waiting) entry.state = 'published';
    void this.#deps.settled().then(() => {
      for (const entry of waiting) entry.state = 'applied';
      this.#look();
    });
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  #withSessions(): Entry[] {
    return [...this.#entries.values()].filter(({ record }) => this.#deps.counts.live(record.slot) > 0);
  }

  #look(): void {
    if (this.#isStopped) return;
    const gone = [...this.#entries].filter(
      ([, { state, record }]) => state === 'applied' && this.#deps.counts.live(record.slot) <= 0,
    );
    for (const [id] of gone) {
      this.#entries.delete(id);
      this.#deps.onForgotten(id);
    }
    // Backends whose sessions were reset are still in the plans.
    if (gone.some(([, { reset }]) => reset)) this.#deps.onChange();
    if (this.#entries.size === 0) return;
    this.#cancelTimer ??= this.#deps.setTimer(() => {
      this.#cancelTimer = undefined;
      this.#look();
    }, LOOK_MS);
  }
}
