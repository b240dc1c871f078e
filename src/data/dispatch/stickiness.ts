/**
 * Sends a client to the backend it had before, whatever the strategy.
 *
 * Place: one per sticky upstream and data plane; the dispatcher asks it before the strategy, and reports every
 * successful connect to it.
 * Rule: the remembered backend is used when it gets sessions, is not full and was not tried. Otherwise the strategy
 * picks, and the memory stays: the client comes back when its backend does. Only a backend that no longer belongs to
 * the upstream is replaced by the one that served instead.
 */
import type { StickyTable } from '../../shared-memory/sticky-table.ts';

/** The parts of `StickyTable` that are needed. */
export type StickyLookUp = Pick<StickyTable, 'find' | 'bind'>;

export class Stickiness<Backend> {
  readonly #table: StickyLookUp;
  readonly #backendAt: (slot: number) => Backend | undefined;

  /** @param backendAt the upstream's backend that has the slot's tag, eligible or not; undefined: it has none */
  constructor(table: StickyLookUp, backendAt: (tag: number) => Backend | undefined) {
    this.#table = table;
    this.#backendAt = backendAt;
  }

  /** The backend that the client with this key had before, if it still belongs to the upstream. */
  preferred(key: string): Backend | undefined {
    const tag = this.#table.find(key);
    return tag === undefined ? undefined : this.#backendAt(tag);
  }

  /** The client with this key is connected to the backend with this tag: its own from now on, unless it has one already. */
  remember(key: string, tag: number): void {
    if (this.preferred(key) === undefined) this.#table.bind(key, tag);
  }
}
