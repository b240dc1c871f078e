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
import type { Serves } from './serving.ts';
import type { WorkerStart } from './messages.ts';
import type { Thread, WorkerTimes } from './worker-thread.ts';

/** Workers with one engine. */
export interface GroupSettings {
  readonly engine: EngineName;
  readonly serves: Serves;
  /** The row of its first worker in shared memory. */
  readonly first: number;
}

export interface FleetSettings {
  /** The first one starts with the fleet, the second with the first listener that it serves. */
  readonly groups: readonly GroupSettings[];
  /** Workers of each group. */
  readonly workers: number;
  /** Where all sessions of the instance are counted. */
  readonly slot: number;
  /** Clients that may wait at paused listeners, in each group; undefined: the engine's default in each worker. */
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
  /** Starts a worker's thread; default: `spawnWorker`. */
  readonly spawn?: (start: WorkerStart) => Thread;
  /** For the message when the system grants no thread. */
  threadLimits(): ThreadLimits;
}
