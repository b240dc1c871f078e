/**
 * The protocol between control and its workers: plain values that can be posted.
 *
 * Place: `worker-thread.ts` speaks one side of it, `worker-main.ts` the other. Messages keep their order in each
 * direction; a worker's events arrive in batches, before the answer to any question that was asked after them.
 */
import type { Recording } from '../data/data-plane.ts';
import type { EngineName } from '../engine/engine.ts';
import type { OwnedSocket } from '../data/listener/fronts.ts';
import type { DataEvent } from '../model/data-event.ts';
import type { SessionQuery, SessionView } from '../model/session-view.ts';
import type { Plan } from '../model/plan.ts';
import type { Termination } from '../model/termination.ts';
import type { SharedMemory } from '../shared-memory/shared-state.ts';

/** What a worker is started with. */
export interface WorkerStart {
  /** From 0 on. */
  readonly index: number;
  readonly engine: EngineName;
  /** Where all sessions of the instance are counted. */
  readonly slot: number;
  /** Everything it has to apply, in this order; listening sockets are control's, and the worker duplicates them. */
  readonly plans: readonly Plan[];
  readonly memory: SharedMemory;
  readonly stats: SharedArrayBuffer;
  /** Clients that may wait at paused listeners of this worker; absent: the engine's default. */
  readonly waitingLimit?: number;
  readonly recording: Recording;
  /** For the epoll engine: wakes it from its wait. */
  readonly wakeFd?: number;
  /** Where it enters the descriptors it owns. */
  readonly owners: SharedArrayBuffer;
}

export type ToWorker =
  /** In this order, and in one step. */
  | { readonly kind: 'apply'; readonly plans: readonly Plan[] }
  | { readonly kind: 'record'; readonly recording: Recording }
  | { readonly kind: 'abortSessions'; readonly termination: Termination }
  | { readonly kind: 'spreadResets'; readonly termination: Termination; readonly withinMs: number }
  | { readonly kind: 'closePools' }
  /** There may be a place again under a limit. */
  | { readonly kind: 'recheckLimits' }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  /** Nothing follows; the thread has to end by itself. */
  | { readonly kind: 'end' };

/** The questions to a worker, named by what the answer confirms. */
export interface Answers {
  /** It takes no clients any more. */
  readonly stopListening: undefined;
  /** The clients that waited at the sockets of a dead worker are served. */
  readonly takeClientsOf: undefined;
  /** No session runs. */
  readonly whenEmpty: undefined;
  /** Every plan that was posted before is applied. */
  readonly settled: undefined;
  /** Listeners that have gone and have clients there. */
  readonly leftListeners: readonly string[];
  /** Sessions that run there. */
  readonly sessions: readonly SessionView[];
  /** The number of sessions that were reset there. */
  readonly endSessions: number;
}

export type Question =
  | { readonly what: 'stopListening' }
  | { readonly what: 'takeClientsOf'; readonly sockets: readonly OwnedSocket[] }
  | { readonly what: 'whenEmpty' }
  | { readonly what: 'settled' }
  | { readonly what: 'leftListeners' }
  | { readonly what: 'sessions'; readonly query: SessionQuery }
  | { readonly what: 'endSessions'; readonly query: SessionQuery };

/** The answer to a question; undefined from a worker that is dead. */
export type AnswerTo<Q extends Question> = Answers[Q['what']] | undefined;

export type FromWorker =
  /** Every plan that it was started with is applied. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: AnswerTo<Question> }
  /** A place was freed under a limit at which other workers wait. */
  | { readonly kind: 'placeFreed' }
  | { readonly kind: 'events'; readonly events: readonly DataEvent[] };

/** How a worker enters the descriptors it owns; 0: no worker. */
export function ownerTag(index: number): number {
  return index + 1;
}
