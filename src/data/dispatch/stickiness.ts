/**
 * Sends a client to the backend it had before, over whatever strategy.
 *
 * Place: one per sticky upstream and data plane; the dispatcher asks before the strategy does, and tells of every
 * successful connect.
 * Rule: the remembered backend is used when it gets sessions, is not full and was not tried; otherwise the strategy
 * picks, and the memory stays: the client comes back when its backend does. Only a backend that no longer belongs to
 * the upstream is forgotten in favour of the one that served instead.
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

  /** The backend that the client had before, if it still belongs to the upstream. */
  preferred(clientAddress: string): Backend | undefined {
    const tag = this.#table.find(clientAddress);
    return tag === undefined ? undefined : this.#backendAt(tag);
  }

  /** The client is connected to the backend with this tag: its own from now on, unless it has one already. */
  remember(clientAddress: string, tag: number): void {
    if (this.preferred(clientAddress) === undefined) this.#table.bind(clientAddress, tag);
  }
}
