/**
 * What the admin API's status shows of the counters, beside a snapshot: totals since the start. The
 * difference of two answers is a rate.
 *
 * Place: admin/counted-status.ts makes it, the dashboard and commands read it. `counter-view.ts` says what the totals
 * promise, docs/metrics.md what each means.
 */
import type { LoadBalancerSnapshot, BackendView, ListenerView, UpstreamView } from './snapshot.ts';

/** By the side that sent them. */
export interface SentBytes {
  readonly client: number;
  readonly backend: number;
}

export interface EndedSessions {
  readonly by: string;
  readonly phase: string;
  readonly reason: string;
  readonly sessions: number;
}

export interface RefusedClients {
  readonly reason: string;
  /** They were let in all the same. */
  readonly dryRun: boolean;
  readonly clients: number;
}

export interface ListenerCounted {
  /** Sessions that have begun. */
  readonly started: number;
  readonly bytes: SentBytes;
  /** Clients that gates have refused; reasons for which none was are left out. */
  readonly refused: readonly RefusedClients[];
}

export interface UpstreamCounted {
  /** How sessions have ended; ways that no session has ended in are left out. */
  readonly ended: readonly EndedSessions[];
  readonly retries: number;
  readonly redispatches: number;
}

export interface BackendCounted {
  /** Connections that sessions got: opened for them, or parked before. */
  readonly connections: number;
  /** Attempts to connect that failed. */
  readonly connectFailures: number;
  /** Sessions that ended because the backend reset them. */
  readonly resets: number;
  readonly bytes: SentBytes;
  /** How long connecting took, as `Times.filled` has it. */
  readonly connect: readonly (readonly [bucket: number, times: number])[];
}

export type CountedListener = ListenerView & { readonly counts?: ListenerCounted };
export type CountedBackend = BackendView & { readonly counts?: BackendCounted };
export type CountedUpstream = Omit<UpstreamView, 'backends'> & {
  readonly counts?: UpstreamCounted;
  readonly backends: readonly CountedBackend[];
};

/** `counts` are absent while lb4 starts. */
export interface CountedSnapshot extends LoadBalancerSnapshot {
  readonly listeners: readonly CountedListener[];
  readonly upstreams: readonly CountedUpstream[];
}
