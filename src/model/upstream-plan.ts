/**
 * What control says to the data planes about an upstream: one immutable, plain value, which replaces the one before
 * whole.
 *
 * Place: built by control (`src/control/upstream`), read by `src/data/dispatch`. It holds no functions and no handles, so that it can
 * be posted to another thread as it is. The start is the first plan, a change of the configuration or of a backend's
 * health is a later one, and a worker that is started again gets the last one once more.
 */
import type { SocketOptions } from '../support/socket.ts';
import type { UpstreamMemory } from '../shared-memory/upstream-state.ts';
import type { Address } from '../support/address.ts';

export interface BackendPlan {
  /** The configured address in canonical form; identity across plans. */
  readonly id: string;
  /** Where its live count stands in the shared counts. */
  readonly slot: number;
  /** Tells the slot from the same slot when it had another owner. */
  readonly tag: number;
  /** Where to connect, in this order: numeric, or a unix path. None while its name has never been resolved. */
  readonly addresses: readonly Address[];
  /** As it counts now: also scaled by a slow start or an agent, and then by the same factor in all backends. */
  readonly weight: number;
  /** As it counts now; undefined: no limit. */
  readonly maxSessions: number | undefined;
  /** May new sessions be sent to it? */
  readonly eligible: boolean;
  /**
   * Its ejection is over, and one session may try it, although it is not eligible: the one that takes the trial which
   * control has put on offer.
   */
  readonly trial: boolean;
  /** A backup that is not eligible, for sessions that find no eligible one (see `BackendJudgement`). */
  readonly reserve: boolean;
  /** Nothing is known against it; in panic backends that are not well are eligible too. */
  readonly well: boolean;
  /** Its sessions are to be reset: it is down, and `whenDown` says so. */
  readonly resetSessions: boolean;
}

export interface ConnectSettings {
  /** For one attempt, in milliseconds. */
  readonly timeout: number;
  /** Distinct backends per round and group; undefined: see `Retries`. */
  readonly attempts?: number | undefined;
  readonly retriesPerBackend: number;
  /** In milliseconds, as the two below. */
  readonly retryDelay: number;
  readonly rounds: number;
  /** Before the second round; twice as long each time after. */
  readonly backoff: number;
  /** For all attempts together; 0 for none. */
  readonly deadline: number;
  readonly retryBudget: RetryBudgetSettings;
}

export interface RetryBudgetSettings {
  /** Further attempts, in percent of first ones. */
  readonly percent: number;
  /** Further attempts besides, each second. */
  readonly minPerSecond: number;
}

export interface PoolSettings {
  /** Spare connections to keep per backend; 0 for none. */
  readonly warm: number;
  /** A connection that has been parked this long is reset, in milliseconds. */
  readonly maxIdle: number;
  /** Park connections that sessions leave clean, for other sessions. */
  readonly reuse: boolean;
}

/** What data planes must know of ejection: when to report a backend. */
export interface EjectionSettings {
  /** Infinity: never. */
  readonly failures: number;
  /** In milliseconds; 0: such sessions are not counted. */
  readonly earlyClose: number;
}

export interface QueueSettings {
  /** Sessions that wait at a time, in all data planes together. */
  readonly max: number;
  /** In milliseconds. */
  readonly timeout: number;
}

/** When backups get sessions, and which. */
export interface BackupRules {
  readonly when: 'down' | 'full';
  readonly which: 'all' | 'first';
}

/** What an upstream's configuration means for its data planes: everything that does not depend on its backends. */
export interface UpstreamSettings {
  readonly name: string;
  /** What all data planes share of it. */
  readonly memory: UpstreamMemory;
  /** Where sessions that wait are counted. */
  readonly queueSlot: number;
  /** A built-in name, or where a module of the user's own is, and in which version: see `load-strategy.ts`. */
  readonly strategy: string;
  readonly connect: ConnectSettings;
  /** For the backends' sockets. */
  readonly sockets: SocketOptions;
  readonly pool: PoolSettings;
  readonly ejection: EjectionSettings;
  readonly queue: QueueSettings;
  readonly backups: BackupRules;
}

export interface UpstreamPlan extends UpstreamSettings {
  readonly backends: readonly BackendPlan[];
}
