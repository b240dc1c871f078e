/**
 * What an lb4 leaves to the process that replaces it: its listening sockets, and what operators have changed.
 *
 * Place: `LoadBalancer` gives it away and takes it at its start; the command line carries it from process to process.
 */
import type { HandedSockets } from '../support/socket.ts';

/** What an operator has changed at runtime. */
export interface InheritedChange {
  readonly upstream: string;
  readonly backend: string;
  readonly what: 'added' | 'removed' | 'weight' | 'state';
  /** Of a weight: as configured. A successor with another configured weight keeps its own. */
  readonly configured?: number | string | undefined;
  /** The weight or the state. */
  readonly now?: number | string | undefined;
  /** Of a backend that was added. */
  readonly added?:
    | { readonly weight: number; readonly maxSessions?: number | undefined; readonly backup: boolean }
    | undefined;
}

export interface Inheritance {
  readonly sockets: readonly HandedSockets[];
  readonly changes: readonly InheritedChange[];
}
