/**
 * The settings of a fleet of workers.
 *
 * Place: build-data-plane fills it in, `worker-fleet.ts` reads it.
 */
import type { EngineName } from '../engine/engine.ts';
import type { Libc } from '../linux/libc.ts';
import type { ControlledState } from '../shared-memory/shared-state.ts';
import type { Given } from './sockets.ts';
import type { SetTimer } from '../support/timer.ts';
import type { ThreadLimits } from './starting.ts';
import type { WorkerTimes } from './worker-thread.ts';

export interface FleetSettings {
  readonly engine: EngineName;
  /** Where all sessions of the instance are counted. */
  readonly slot: number;
  /** Clients that may wait at paused listeners, in all workers together; undefined: the engine's default in each. */
  readonly waitingLimit: number | undefined;
  /** One more than the highest descriptor this process can have. */
  readonly descriptors: number;
  /** A worker that has not moved for this long is ended and started again; Infinity: never. */
  readonly stallTimeoutMs: number;
}

export interface FleetDeps {
  readonly libc: Libc;
  readonly shared: ControlledState;
  /** Listening sockets to take over. */
  readonly given?: Given;
  now(): number;
  /** For restarts: what keeps the process alive while no worker lives. */
  readonly setTimer: SetTimer;
  readonly times?: WorkerTimes;
  /** For the message when the system grants no thread. */
  threadLimits(): ThreadLimits;
}
