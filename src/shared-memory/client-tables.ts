/**
 * The tables of clients of each listener that limits them: given out by control, which gives back what a dead worker
 * held.
 *
 * Place: a part of `ControlledState`. Data planes get the memory with the listeners' plans.
 * A table goes on as it is while its prefixes and its size do. One that a configuration has left out is kept until the
 * listeners have changed: the configuration may be refused.
 */
import { ClientTable, type ClientTableMemory } from './client-table.ts';

/** Of each client, or of each network. */
export type Whose = 'client' | 'network';

/** What decides which table it is. */
export interface ClientTableKind {
  readonly whose: Whose;
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
  readonly clients: number;
}

interface Known extends ClientTableKind {
  readonly table: ClientTable;
}

export class ClientTables {
  readonly #workers: number;
  readonly #byListener = new Map<string, readonly Known[]>();

  /** @param workers threads that balance */
  constructor(workers: number) {
    this.#workers = workers;
  }

  /** The one that there is, or a new one. */
  of(listener: string, kind: ClientTableKind): ClientTableMemory {
    const known = this.#byListener.get(listener) ?? [];
    const same = known.find(each => isSame(each, kind));
    if (same !== undefined) return same.table.memory;
    const table = new ClientTable(ClientTable.allocate(kind.clients, this.#workers));
    this.#byListener.set(listener, [...known, { ...kind, table }]);
    return table.memory;
  }

  /** The listener has these tables from now on, and no other. */
  keepOnly(listener: string, memories: readonly ClientTableMemory[]): void {
    const known =
      this.#byListener.get(listener)?.filter(({ table }) => memories.includes(table.memory)) ?? [];
    if (known.length > 0) this.#byListener.set(listener, known);
    else this.#byListener.delete(listener);
  }

  /** Gives back what a worker held that has died. */
  forget(worker: number): void {
    for (const known of this.#byListener.values()) for (const { table } of known) table.forget(worker);
  }
}

function isSame(one: ClientTableKind, other: ClientTableKind): boolean {
  return (
    one.whose === other.whose &&
    one.ipv4Prefix === other.ipv4Prefix &&
    one.ipv6Prefix === other.ipv6Prefix &&
    one.clients === other.clients
  );
}
