/**
 * What a data plane reports: one union, through one `report`.
 *
 * Place: data planes make these values. `host/` merges the two kinds that are states (a listener that is paused, an
 * upstream whose sessions wait) over its workers, and passes the rest on untouched. load-balancer.ts turns them into
 * events. Plain values, so that they can be posted from a worker as they are.
 * Invariant: every admitted client ends in exactly one `sessionClosed` or, while no record is wanted, is counted in
 * one `unrecorded`.
 */
import type { ConnectFailure, EngineName } from '../engine/engine.ts';
import type { SessionRecord } from './session-record.ts';
import type { FailureKind } from '../shared-memory/backend-failures.ts';
import type { Refusal } from '../shared-memory/counters/refusals.ts';

/** Why a listener takes no clients: its own limit, the instance's, a machine out of descriptors or memory, its rate. */
export const HOLD_REASONS = ['listenerLimit', 'instanceLimit', 'localResources', 'listenerRate'] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

export type DataEvent =
  | { readonly kind: 'listenerPaused'; readonly listener: string; readonly reason: HoldReason }
  | { readonly kind: 'listenerResumed'; readonly listener: string }
  /** Another program has made an address stop listening. Undefined `code`: it listens again, and is `listenerMended`. */
  | {
      readonly kind: 'listenerBroken';
      readonly listener: string;
      readonly address: string;
      readonly code: string | undefined;
    }
  | { readonly kind: 'listenerMended'; readonly listener: string; readonly address: string }
  /** Clients found no room to wait at a paused listener and were reset; they never became sessions. */
  | { readonly kind: 'turnedAway'; readonly listener: string; readonly times: number }
  /** Gates of a listener have refused clients; with `isDryRun` they would have, and have let them in. */
  | {
      readonly kind: 'refused';
      readonly listener: string;
      readonly reason: Refusal;
      readonly isDryRun: boolean;
      /** Of the last one; `code`: the TLS library's own name for what has failed. */
      readonly clientAddress: string;
      readonly code?: string | undefined;
      readonly times: number;
    }
  | {
      readonly kind: 'connectFailed';
      readonly upstream: string;
      readonly backend: string;
      readonly failure: ConnectFailure;
      /** Number of failures that this event stands for; the other `times` here likewise. */
      readonly times: number;
    }
  | { readonly kind: 'sessionClosed'; readonly record: SessionRecord }
  /** Sessions have ended without a record, although records or counts are wanted. */
  | { readonly kind: 'unrecorded'; readonly sessions: number }
  /** The backend has failed at least as often in a row as the setting for its ejection. */
  | {
      readonly kind: 'backendFailing';
      readonly upstream: string;
      readonly backend: string;
      readonly cause: FailureKind;
    }
  /** The one session that tried an ejected backend has its result. */
  | {
      readonly kind: 'trialEnded';
      readonly upstream: string;
      readonly backend: string;
      /** Undefined: it went well. */
      readonly failure: string | undefined;
    }
  /** Sessions of the data plane begin to wait for a backend with room, or none has waited for a second. */
  | { readonly kind: 'queueing'; readonly upstream: string; readonly isQueueing: boolean }
  | {
      readonly kind: 'strategyFailed';
      readonly upstream: string;
      readonly reason: string;
      readonly times: number;
    };

/** What a host reports: all that its data planes report, and the state of its threads and sockets. */
export type HostEvent =
  | DataEvent
  | {
      readonly kind: 'listening';
      readonly listener: string;
      readonly address: string;
      readonly upstream: string;
    }
  | {
      readonly kind: 'workerExited';
      readonly worker: number;
      readonly reason: string;
      readonly sessions: number;
      /** Undefined: it is not started again. */
      readonly restartInMs: number | undefined;
    }
  /** More workers, with this engine, take clients from now on. */
  | { readonly kind: 'workersAdded'; readonly engine: EngineName; readonly workers: number }
  | { readonly kind: 'workerRestarted'; readonly worker: number }
  | { readonly kind: 'workerStalled'; readonly worker: number; readonly forMs: number }
  | { readonly kind: 'workerResumed'; readonly worker: number };

/** Takes an event; never throws. */
export type Report = (event: DataEvent) => void;
export type HostReport = (event: HostEvent) => void;
