/**
 * Whom a dispatch works for, and whom it tells besides.
 *
 * Place: the session is the owner; the data plane hands in the rest.
 */
import type { Connection } from '../../engine/engine.ts';
import type { Termination } from '../../model/termination.ts';
import type { EjectionSignalsDeps } from './ejection-signals.ts';

/** Who needs the connection: the session. */
export interface DispatchOwner {
  /** The connection is there; whoever owns the dispatch gives it back with `release`. */
  onConnected(connection: Connection): void;
  /** There is none to be had. */
  onUnavailable(termination: Termination): void;
  /** It begins to wait for a backend with room, or waits no more: one of the other two follows, or a cancel. */
  onWaiting(isWaiting: boolean): void;
}

export interface DispatcherDeps extends EjectionSignalsDeps {
  now(): number;
  random(): number;
}
