/**
 * The protocol between control and its workers: plain values that can be posted, nothing else.
 *
 * Place: `worker-thread.ts` speaks one side of it, `worker-main.ts` the other. Messages keep their order in each
 * direction; a worker's events come batched, before the answer to whatever was asked after them.
 */
import type { Recording } from '../data-plane.ts';
import type { PlainSettings } from '../data-plane-settings.ts';
import type { EngineName, ListeningSocket } from '../engine/engine.ts';
import type { DataEvent } from '../model/data-event.ts';
import type { Termination } from '../termination.ts';
import type { SharedMemory } from '../shared-memory/shared-state.ts';
import type { UpstreamSnapshot } from '../upstream/snapshot.ts';

/** What a worker is started with. */
export interface WorkerStart {
  /** From 0 on. */
  readonly index: number;
  readonly engine: EngineName;
  readonly settings: PlainSettings;
  /** Where a strategy's relative path starts from. */
  readonly baseDir: string;
  readonly snapshots: readonly UpstreamSnapshot[];
  /** Per listener: control's sockets for this worker, which it duplicates. */
  readonly sockets: readonly (readonly ListeningSocket[])[];
  readonly memory: SharedMemory;
  readonly stats: SharedArrayBuffer;
  /** Clients that may wait at paused listeners of this worker; absent: the engine's default. */
  readonly waitingLimit?: number;
  readonly recording: Recording;
  /** For the epoll engine: what wakes it from its wait. */
  readonly wakeFd?: number;
  /** Where it enters the descriptors it owns. */
  readonly owners: SharedArrayBuffer;
}

export type ToWorker =
  | { readonly kind: 'apply'; readonly snapshot: UpstreamSnapshot }
  | { readonly kind: 'record'; readonly recording: Recording }
  | { readonly kind: 'abortSessions'; readonly termination: Termination }
  | { readonly kind: 'closePools' }
  /** There may be a place again under a limit. */
  | { readonly kind: 'recheckLimits' }
  /** Answered with `done` when it is done. */
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  /** Nothing follows; the thread is to end by itself. */
  | { readonly kind: 'end' };

export type Question =
  | { readonly what: 'stopListening' }
  /** Per listener: control's sockets for a worker that is dead. Whoever waits there is to be served. */
  | { readonly what: 'takeClientsOf'; readonly sockets: readonly (readonly ListeningSocket[])[] }
  | { readonly what: 'whenEmpty' }
  /** It has applied everything that was posted before. */
  | { readonly what: 'settled' };

export type FromWorker =
  /** It accepts on all its sockets. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly id: number }
  /** A place under a limit was freed that others wait for. */
  | { readonly kind: 'placeFreed' }
  | { readonly kind: 'events'; readonly events: readonly DataEvent[] };

/** How a worker enters the descriptors it owns; 0 stands for nobody. */
export function ownerTag(index: number): number {
  return index + 1;
}
