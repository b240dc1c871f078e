/**
 * What control sends to the data planes about an upstream: one immutable, plain value, which replaces the one before as
 * a whole.
 *
 * Place: built by control (`src/control/upstream`), read by `src/data/dispatch`. It holds no functions and no handles,
 * so that it can be posted to another thread as it is. The first plan is sent at the start, a later one at each change
 * of the configuration or of a backend's health. A worker that is started again gets the last one.
 */
import type { SocketOptions } from '../support/socket.ts';
import type { CounterChunk } from '../shared-memory/counters/counters.ts';
import type { KeyBy } from './key-by.ts';
import type { SendProxy } from './send-proxy.ts';
import type { TlsClientSettings } from '../engine/tls.ts';
import type { UpstreamMemory } from '../shared-memory/upstream-state.ts';
import type { Address } from '../support/address.ts';

export interface BackendPlan {
  /** The configured address in canonical form; identity across plans. */
  readonly id: string;
  /** Index of its live count in the shared counts. */
  readonly slot: number;
  /** Distinguishes the slot from the same slot when it had another owner. */
  readonly tag: number;
  /** Where to connect, in this order: numeric, or a unix path. None while its name has never been resolved. */
  readonly addresses: readonly Address[];
  /** The weight in force: scaled by slow start and agent; then all backends' weights share one further factor. */
  readonly weight: number;
  /** The limit in force; undefined: none. */
  readonly maxSessions: number | undefined;
  /** Whether new sessions may go to it. */
  readonly eligible: boolean;
  /**
   * Its ejection is over, and one session may try it although it is not eligible: the one that takes the trial that
   * control has put on offer.
   */
  readonly trial: boolean;
  /** A backup that is not eligible, for sessions that find no eligible one (see `BackendJudgement`). */
  readonly reserve: boolean;
  /** Neither checks, agent nor ejection speak against it; in panic backends that are not well are eligible too. */
  readonly well: boolean;
  /** Its sessions are to be reset: it is down, and `whenDown` says so. */
  readonly resetSessions: boolean;
  /** The sessions it has now are to be reset: it is a backup, a primary is well, and `leaveBackups` says so. */
  readonly isLeft?: boolean;
}

export interface ConnectSettings {
  /** The longest that one attempt may take, in milliseconds. */
  readonly timeout: number;
  /** Distinct backends per round and group; undefined: see `Retries`. */
  readonly attempts?: number | undefined;
  readonly retriesPerBackend: number;
  /** In milliseconds; `backoff` and `deadline` too. */
  readonly retryDelay: number;
  readonly rounds: number;
  /** The wait before the second round; twice as long before each round after it. */
  readonly backoff: number;
  /** The longest that all attempts together may take; 0 for no limit. */
  readonly deadline: number;
  readonly retryBudget: RetryBudgetSettings;
}

export interface RetryBudgetSettings {
  /** Further attempts, in percent of first ones. */
  readonly percent: number;
  /** Further attempts allowed each second in addition. */
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

/** The settings of ejection that data planes need: when to report a backend. */
export interface EjectionSettings {
  /** Failures in a row; Infinity: a backend is never reported. */
  readonly failures: number;
  /** A session that ends within this time without a byte is a failure, in milliseconds; 0: not counted. */
  readonly earlyClose: number;
}

export interface QueueSettings {
  /** The most sessions that wait at a time, in all data planes together. */
  readonly max: number;
  /** In milliseconds. */
  readonly timeout: number;
}

/** When backups get sessions, and which. */
export interface BackupRules {
  readonly when: 'down' | 'full';
  readonly which: 'all' | 'first';
}

/** The part of an upstream's plan that follows from its configuration and does not depend on its backends. */
export interface UpstreamSettings {
  readonly name: string;
  /** The memory that all data planes share for this upstream. */
  readonly memory: UpstreamMemory;
  /** Where sessions that wait are counted. */
  readonly queueSlot: number;
  /** A built-in name, or path and version of a module of the user's own: see `load-strategy.ts`. */
  readonly strategy: string;
  /** By what the strategy tells clients apart, and by what they are remembered; absent: by their addresses. */
  readonly hashBy?: KeyBy | undefined;
  readonly stickyBy?: KeyBy | undefined;
  /** For the strategy: no backend gets more than this times the average. Absent: no bound. */
  readonly balanceFactor?: number | undefined;
  readonly connect: ConnectSettings;
  /** For the backends' sockets. */
  readonly sockets: SocketOptions;
  readonly pool: PoolSettings;
  /** The header that connections begin with; absent: none. */
  readonly sendProxy?: SendProxy;
  /** TLS to the backends; absent: they get bytes as they are. */
  readonly tls?: TlsClientSettings | undefined;
  readonly ejection: EjectionSettings;
  readonly queue: QueueSettings;
  /** Over all its backends and all data planes. */
  readonly limits: { readonly maxSessions?: number | undefined };
  readonly backups: BackupRules;
}

export interface UpstreamPlan extends UpstreamSettings {
  readonly backends: readonly BackendPlan[];
  /** Where its slots are counted; absent where the data plane is in control's thread. */
  readonly counters?: readonly CounterChunk[];
}
