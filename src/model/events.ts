/**
 * Everything lb4 reports, as typed events. Log, access log and whatever else watches are subscribers; nothing
 * on the data path knows them.
 *
 * Place: emitted by `LoadBalancer`; docs/events.md lists them, checked by a test.
 */
import type { MirrorFailure, MirrorMode, OperatorState } from './words.ts';
import { EventEmitter } from 'node:events';
import type { EngineName } from '../engine/engine.ts';
import type { HoldReason } from './data-event.ts';
import type { SessionRecord } from './session-record.ts';

export interface EventMap {
  /** A listener accepts on an address; with the port the kernel chose where port 0 was configured. */
  'listener:listening': { readonly listener: string; readonly address: string; readonly upstream: string };
  /** A listener takes no further clients for now; they wait. */
  'listener:paused': {
    readonly listener: string;
    readonly reason: HoldReason;
    /** The limit that is reached; absent where the reason is another one. */
    readonly maxSessions?: number;
    /** Where that is what the descriptors allow: their limit, and the one that what is configured needs. */
    readonly descriptorLimit?: number;
    readonly descriptorsNeeded?: number;
  };
  'listener:resumed': { readonly listener: string };
  /**
   * Others have made an address stop listening (`ss -K`), and its clients were refused. lb4 makes it listen again; with
   * `code`, the system's name for why it cannot yet, it goes on trying. With workers, each of them has its own socket.
   */
  'listener:broken': { readonly listener: string; readonly address: string; readonly code?: string };
  /** It listens again; after each `listener:broken`. */
  'listener:mended': { readonly listener: string; readonly address: string };
  /** A client found no room to wait at a paused listener: it was reset, and never became a session. */
  'listener:turnedAway': {
    readonly listener: string;
    /** How many clients: more than one where control could not keep up. So below. */
    readonly times: number;
  };
  /** A session has ended, for whatever reason; exactly once per session. */
  'session:closed': SessionRecord;
  /** So many sessions have ended without a record: there were more of them than could be taken in. */
  'session:unrecorded': { readonly sessions: number };
  /** Health checks find a backend well again, or its name was resolved. */
  'backend:up': { readonly upstream: string; readonly backend: string; readonly reason: string };
  /** Health checks or its agent find a backend not well, or its name cannot be resolved. */
  'backend:down': { readonly upstream: string; readonly backend: string; readonly reason: string };
  /** A health check of a backend that is up has failed; it takes more of them in a row until it is down. */
  'backend:checkFailed': {
    readonly upstream: string;
    readonly backend: string;
    readonly reason: string;
    readonly inARow: number;
    /** As many in a row take it out. */
    readonly fall: number;
  };
  /** Live sessions have failed so often in a row that the backend gets none for a while. */
  'backend:ejected': {
    readonly upstream: string;
    readonly backend: string;
    readonly reason: string;
    readonly forMs: number;
    /** How often in a row, this time included. */
    readonly times: number;
  };
  /** The time of its ejection is over: the next session tries it, and decides. */
  'backend:trial': { readonly upstream: string; readonly backend: string };
  /** Its ejection has ended: the trial went well, or a health check has passed. */
  'backend:restored': { readonly upstream: string; readonly backend: string; readonly reason: string };
  /** An operator or the backend's agent has set its state. */
  'backend:stateSet': {
    readonly upstream: string;
    readonly backend: string;
    readonly state: OperatorState;
    readonly by: 'operator' | 'agent';
  };
  /** An operator, the backend's agent or a new configuration has changed what it gets; `maxSessions` is absent where there is no limit. */
  'backend:shareSet': {
    readonly upstream: string;
    readonly backend: string;
    readonly weight: number;
    /** What the agent leaves of the weight. */
    readonly percent: number;
    readonly maxSessions?: number;
    readonly by: 'operator' | 'agent' | 'configuration';
  };
  /** It has recovered or joined, and gets its share little by little. */
  'backend:slowStart': { readonly upstream: string; readonly backend: string; readonly forMs: number };
  /** It gets its whole share from now on. */
  'backend:slowStartEnded': { readonly upstream: string; readonly backend: string };
  'backend:added': { readonly upstream: string; readonly backend: string };
  /** It gets no new sessions any more; `sessions` run on. */
  'backend:removed': { readonly upstream: string; readonly backend: string; readonly sessions: number };
  /** No backend is well, or fewer than `panicBelow` asks for: from now on health and ejection are ignored. */
  'upstream:panic': { readonly upstream: string; readonly well: number; readonly of: number };
  'upstream:panicEnded': { readonly upstream: string; readonly well: number; readonly of: number };
  /** No other backend can be had: those marked `backup` get the sessions. */
  'upstream:backups': { readonly upstream: string; readonly backends: readonly string[] };
  'upstream:backupsEnded': { readonly upstream: string };
  /** Every backend is at its `maxSessions`: sessions wait. */
  'upstream:queueing': { readonly upstream: string };
  /** No session has waited for a second. */
  'upstream:queueingEnded': {
    readonly upstream: string;
    /** From the first session that waited to the last. */
    readonly forMs: number;
    /** The longest that one of them has waited. */
    readonly longestMs: number;
  };
  /** No backend of the upstream gets new sessions: its listeners turn clients away. */
  'upstream:down': { readonly upstream: string };
  /** At least one backend gets new sessions again. */
  'upstream:up': { readonly upstream: string };
  /** One attempt of a session to reach a backend failed; the session may have gone to another one. */
  'backend:connectFailed': {
    readonly upstream: string;
    readonly backend: string;
    readonly reason: string;
    readonly code: string;
    readonly times: number;
  };
  /** A strategy of the user's own threw or picked what it must not; a backend was drawn at random instead. */
  'strategy:failed': { readonly upstream: string; readonly reason: string; readonly times: number };
  /**
   * At start: what moves the bytes, and in how many threads. `reason` says why it is not more, where it could be;
   * `coreLimit` why `workers: auto` is fewer than the machine's cores.
   */
  'engine:chosen': {
    readonly engine: EngineName;
    readonly workers: number;
    readonly reason?: string;
    readonly coreLimit?: string;
  };
  /** At start: more sessions are configured than there are descriptors for; `descriptorsNeeded` would be enough. */
  'descriptors:short': {
    readonly maxSessions: number;
    readonly allowed: number;
    readonly descriptorLimit: number;
    readonly descriptorsNeeded: number;
  };
  /** A worker has died; `sessions` died with it. It is started again, except when lb4 is ending. */
  'worker:exited': {
    readonly worker: number;
    readonly reason: string;
    readonly sessions: number;
    readonly restartInMs?: number;
  };
  /** A worker that had died accepts again. */
  'worker:restarted': { readonly worker: number };
  /** A worker has not beaten for so long: something blocks its thread, and its sessions stand still. */
  'worker:stalled': { readonly worker: number; readonly forMs: number };
  /** It beats again. */
  'worker:resumed': { readonly worker: number };
  /**
   * Counts are shared with other instances from now on, or no longer: then only one's own count. Told once for all
   * upstreams that change together, also of the first time.
   */
  'mirror:changed': {
    readonly mode: MirrorMode;
    readonly upstreams: readonly string[];
    /** Other instances that are heard of; 0 in mode `local`. */
    readonly others: number;
    /** In mode `local`: why. */
    readonly reason?: MirrorFailure;
    readonly message?: string;
  };
  /** Another process had the same name: this one has given itself a new one. */
  'mirror:renamed': { readonly from: string; readonly to: string };
  'drain:started': { readonly sessions: number; readonly timeoutMs: number };
  /** Every session has ended, `aborted` of them because the drain's time was over. */
  'drain:ended': { readonly aborted: number };
}

export type EventName = keyof EventMap;

export const EVENT_NAMES = [
  'listener:listening',
  'listener:paused',
  'listener:resumed',
  'listener:broken',
  'listener:mended',
  'listener:turnedAway',
  'session:closed',
  'session:unrecorded',
  'backend:up',
  'backend:down',
  'backend:checkFailed',
  'backend:connectFailed',
  'backend:ejected',
  'backend:trial',
  'backend:restored',
  'backend:stateSet',
  'backend:shareSet',
  'backend:slowStart',
  'backend:slowStartEnded',
  'backend:added',
  'backend:removed',
  'upstream:panic',
  'upstream:panicEnded',
  'upstream:backups',
  'upstream:backupsEnded',
  'upstream:queueing',
  'upstream:queueingEnded',
  'upstream:down',
  'upstream:up',
  'strategy:failed',
  'engine:chosen',
  'descriptors:short',
  'worker:exited',
  'worker:restarted',
  'worker:stalled',
  'worker:resumed',
  'mirror:changed',
  'mirror:renamed',
  'drain:started',
  'drain:ended',
] as const satisfies readonly EventName[];

type Listener<N extends EventName> = (event: EventMap[N]) => void;

/** A typed emitter over Node's own. */
export class Events {
  readonly #emitter = new EventEmitter();
  #onInterest: (name: EventName, wanted: boolean) => void = () => undefined;

  constructor() {
    // Subscribers are few but not bounded by us; the warning would be about the user's code.
    this.#emitter.setMaxListeners(0);
  }

  emit<N extends EventName>(name: N, event: EventMap[N]): void {
    this.#emitter.emit(name, event);
  }

  /** Whether anybody listens to an event. */
  isWanted(name: EventName): boolean {
    return this.#emitter.listenerCount(name) > 0;
  }

  /** Calls back when an event gets its first listener or loses its last one; replaces the callback before. */
  watchInterest(callback: (name: EventName, wanted: boolean) => void): void {
    this.#onInterest = callback;
  }

  /**
   * Subscribes; returns the unsubscriber. What a listener throws is thrown again after the emitting code is
   * through: it reaches the process's `uncaughtException`, as with any emitter, but breaks no bookkeeping.
   */
  on<N extends EventName>(name: N, listener: Listener<N>): () => void {
    const guarded: Listener<N> = event => {
      try {
        listener(event);
      } catch (error) {
        process.nextTick(() => {
          throw error;
        });
      }
    };
    const change = (how: () => void): void => {
      const before = this.isWanted(name);
      how();
      if (this.isWanted(name) !== before) this.#onInterest(name, !before);
    };
    change(() => this.#emitter.on(name, guarded));
    return () => change(() => this.#emitter.off(name, guarded));
  }
}
