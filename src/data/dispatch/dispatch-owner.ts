/**
 * The owner of a dispatch, and what else a dispatch reports to.
 *
 * Place: the session is the owner; the data plane passes in the rest.
 */
import type { OwnConnect } from '../../../pool/index.ts';
import type { Connection } from '../../engine/engine.ts';
import type { Termination } from '../../model/termination.ts';
import type { EjectionSignalsDeps } from './ejection-signals.ts';

/** What needs the connection: the session. */
export interface DispatchOwner {
  /** The connection is there; the owner gives it back with `release`. */
  onConnected(connection: Connection): void;
  /** No connection could be had. */
  onUnavailable(termination: Termination): void;
  /**
   * The session begins to wait for a backend with room, or stops waiting: one of the other two follows, or a cancel.
   */
  onWaiting(isWaiting: boolean): void;
  /** Asked before each attempt at a backend with TLS: what its connection is made with for this owner alone. */
  ownConnect?(): OwnConnect | undefined;
}

export interface DispatcherDeps extends EjectionSignalsDeps {
  now(): number;
  random(): number;
}
