/**
 * Everything lb4 reports, as typed events. Log, access log and all other observers are subscribers; nothing on the data
 * path knows them.
 *
 * Place: emitted by `LoadBalancer`; docs/events.md lists them, checked by a test.
 */
import type { MirrorFailure, MirrorMode, OperatorState } from './words.ts';
import { EventEmitter } from 'node:events';
import type { EngineName } from '../engine/engine.ts';
import type { Refusal } from '../shared-memory/counters/refusals.ts';
import type { HoldReason } from './data-event.ts';
import type { SessionRecord } from './session-record.ts';

interface CertificateWords {
  /** Where it is used. */
  readonly listener?: string;
  readonly upstream?: string;
  /** As configured. */
  readonly file: string;
  /** DNS names, in small letters. */
  readonly names: readonly string[];
  /** ISO 8601. */
  readonly notAfter: string;
}

export interface EventMap {
  /** A listener accepts on an address; with the port the kernel chose where port 0 was configured. */
  'listener:listening': { readonly listener: string; readonly address: string; readonly upstream: string };
  /** A listener takes no further clients for now; they wait. */
  'listener:paused': {
    readonly listener: string;
    readonly reason: HoldReason;
    /** The limit that is reached; absent where the reason is not a limit. */
    readonly maxSessions?: number;
    /** Where that is what the descriptors allow: their limit, and the limit that the configuration needs. */
    readonly descriptorLimit?: number;
    readonly descriptorsNeeded?: number;
  };
  'listener:resumed': { readonly listener: string };
  /**
   * Another program has made an address stop listening (`ss -K`), and its clients were refused. lb4 makes it listen
   * again. With `code`, the system's reason why it cannot yet, lb4 goes on trying. Each worker has its own socket.
   */
  'listener:broken': { readonly listener: string; readonly address: string; readonly code?: string };
  /** The address listens again; follows each `listener:broken`. */
  'listener:mended': { readonly listener: string; readonly address: string };
  /** A listener with `stopWhenDown` does not listen any more, because its upstream has no backend. */
  'listener:stopped': {
    readonly listener: string;
    readonly upstream: string;
    /** Addresses whose sockets the service manager keeps open: their clients are refused. Absent: there are none. */
    readonly kept?: readonly string[];
  };
  /** Its upstream has a backend again, but the listener cannot listen; lb4 goes on trying. */
  'listener:notBack': { readonly listener: string; readonly upstream: string; readonly reason: string };
  /** A client found no room to wait at a paused listener: it was reset, and never became a session. */
  'listener:turnedAway': {
    readonly listener: string;
    /** Number of clients, above 1 where control could not keep up; the other `times` here likewise. */
    readonly times: number;
  };
  /**
   * Gates of a listener have refused `times` clients, or would have refused them without `dryRun`. For each reason at
   * most once a second and worker; all are reported in the end. A client that was refused at once never became a
   * session.
   */
  'listener:refused': {
    readonly listener: string;
    readonly reason: Refusal;
    /** Of the last one; '' for a unix socket. */
    readonly clientAddress: string;
    readonly dryRun: boolean;
    /** What has failed in the TLS handshake of the last one, by the library's own name; absent for other reasons. */
    readonly code?: string;
    readonly times: number;
  };
  /**
   * At the start and with each configuration: a listener is to give denied clients no answer (`drop`), and the system
   * does not let lb4 do that. `resetNearby`: they get a reset that does not pass the first router; `reset`: a reset.
   */
  'listener:answersDenied': { readonly listener: string; readonly how: 'resetNearby' | 'reset' };
  /** The files of a certificate have changed: sessions that begin from now on get the new one. */
  'certificate:renewed': CertificateWords;
  /** Files of `tls` have changed and cannot be used: what was in use stays in use. */
  'certificate:refused': { readonly reason: string };
  /** A certificate in use has less than 14 days left; said once a day. */
  'certificate:expiring': CertificateWords & {
    /** Whole days; negative: it has expired. */
    readonly daysLeft: number;
  };
  /** At the start and after a renewal: something about files of `tls` should be looked at. */
  'certificate:doubtful': { readonly reason: string };
  /** A session has ended, for any reason; exactly once per session. */
  'session:closed': SessionRecord;
  /** `sessions` have ended without a record: there were more than control could take in. */
  'session:unrecorded': { readonly sessions: number };
  /** Health checks find a backend well again, or its name was resolved. */
  'backend:up': { readonly upstream: string; readonly backend: string; readonly reason: string };
  /** Health checks or its agent find a backend not well, or its name cannot be resolved. */
  'backend:down': { readonly upstream: string; readonly backend: string; readonly reason: string };
  /** A health check of a backend that is up has failed; the backend is down after `fall` of them in a row. */
  'backend:checkFailed': {
    readonly upstream: string;
    readonly backend: string;
    readonly reason: string;
    readonly inARow: number;
    /** Failures in a row that take the backend out. */
    readonly fall: number;
  };
  /** As many live sessions have failed in a row as `ejection` allows: the backend gets none for `forMs`. */
  'backend:ejected': {
    readonly upstream: string;
    readonly backend: string;
    readonly reason: string;
    readonly forMs: number;
    /** Ejections in a row, this one included. */
    readonly times: number;
  };
  /** The time of its ejection is over: the next session tries the backend, and decides. */
  'backend:trial': { readonly upstream: string; readonly backend: string };
  /** Its ejection has ended: the trial went well, or a health check has passed. */
  'backend:restored': { readonly upstream: string; readonly backend: string; readonly reason: string };
  /** An operator or the backend's agent has set its state. */
  'backend:stateSet': {
    readonly upstream: string;
    readonly backend: string;
    readonly state: OperatorState;
    readonly by: 'operator' | 'agent' | 'source';
  };
  /** Operator, agent or configuration has changed a backend's share; `maxSessions` is absent if there is no limit. */
  'backend:shareSet': {
    readonly upstream: string;
    readonly backend: string;
    readonly weight: number;
    /** Percent of the weight that the agent leaves. */
    readonly percent: number;
    readonly maxSessions?: number;
    readonly by: 'operator' | 'agent' | 'configuration';
  };
  /** The backend has recovered or joined, and its share grows for `forMs`. */
  'backend:slowStart': { readonly upstream: string; readonly backend: string; readonly forMs: number };
  /** The backend gets its whole share from now on. */
  'backend:slowStartEnded': { readonly upstream: string; readonly backend: string };
  'backend:added': { readonly upstream: string; readonly backend: string };
  /** The backend gets no new sessions any more; `sessions` run on. */
  'backend:removed': { readonly upstream: string; readonly backend: string; readonly sessions: number };
  /** A source of backends cannot be asked, or its answer not be used: the `kept` backends that it named last stay. */
  'source:failed': {
    readonly upstream: string;
    readonly source: string;
    readonly reason: string;
    readonly kept: number;
  };
  'source:recovered': { readonly upstream: string; readonly source: string; readonly forMs: number };
  /** No backend is well, or fewer than `panicBelow` requires: from now on health and ejection are ignored. */
  'upstream:panic': { readonly upstream: string; readonly well: number; readonly of: number };
  'upstream:panicEnded': { readonly upstream: string; readonly well: number; readonly of: number };
  /** No other backend is well: those marked `backup` get the sessions. */
  'upstream:backups': { readonly upstream: string; readonly backends: readonly string[] };
  'upstream:backupsEnded': { readonly upstream: string };
  /** Every backend is at its `maxSessions`: sessions wait. */
  'upstream:queueing': { readonly upstream: string };
  /** No session has waited for a second. */
  'upstream:queueingEnded': {
    readonly upstream: string;
    /** From the first session that waited to the last. */
    readonly forMs: number;
    /** The longest wait of a session in that time. */
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
  /** A strategy of the user's own threw or picked what it must not; lb4 drew a backend at random instead. */
  'strategy:failed': { readonly upstream: string; readonly reason: string; readonly times: number };
  /**
   * At start: the engine that moves the bytes, and the number of its threads. `reason`: why it is not more, where it
   * could be. `coreLimit`: why `workers: auto` is fewer than the machine's cores. `ffi`: what makes the system calls.
   */
  'engine:chosen': {
    readonly engine: EngineName;
    readonly workers: number;
    readonly ffi?: 'koffi' | 'node:ffi';
    readonly reason?: string;
    readonly coreLimit?: string;
  };
  /** Workers with this engine have started beside the first ones: for the listeners with TLS, before the first of them. */
  'workers:added': { readonly engine: EngineName; readonly workers: number };
  /** At start: the descriptors do not suffice for the configured sessions; `descriptorsNeeded` would. */
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
  /** A worker has sent no heartbeat for `forMs`: something blocks its thread, and its sessions stand still. */
  'worker:stalled': { readonly worker: number; readonly forMs: number };
  /** The worker sends heartbeats again. */
  'worker:resumed': { readonly worker: number };
  /**
   * Counts are shared with other instances from now on, or no longer: then only this instance's own sessions count.
   * Emitted once for all upstreams that change together, also for the first mode.
   */
  'mirror:changed': {
    readonly mode: MirrorMode;
    readonly upstreams: readonly string[];
    /** Number of other instances that publish; 0 in mode `local`. */
    readonly others: number;
    /** In mode `local`: why counts are not shared. */
    readonly reason?: MirrorFailure;
    readonly message?: string;
  };
  /** Another process has the same name: this one has taken a new one. */
  'mirror:renamed': { readonly from: string; readonly to: string };
  /** A drain has been asked for; clients are still taken for `delayMs`. */
  'drain:delayed': { readonly delayMs: number };
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
  'listener:stopped',
  'listener:notBack',
  'listener:turnedAway',
  'listener:refused',
  'listener:answersDenied',
  'certificate:renewed',
  'certificate:refused',
  'certificate:expiring',
  'certificate:doubtful',
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
  'source:failed',
  'source:recovered',
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
  'workers:added',
  'descriptors:short',
  'worker:exited',
  'worker:restarted',
  'worker:stalled',
  'worker:resumed',
  'mirror:changed',
  'mirror:renamed',
  'drain:delayed',
  'drain:started',
  'drain:ended',
] as const satisfies readonly EventName[];

type Listener<N extends EventName> = (event: EventMap[N]) => void;

/** A typed emitter over Node's own. */
export class Events {
  readonly #emitter = new EventEmitter();
  #onInterest: (name: EventName, wanted: boolean) => void = () => undefined;

  constructor() {
    // The number of subscribers is up to the user's code; Node would warn about it.
    this.#emitter.setMaxListeners(0);
  }

  emit<N extends EventName>(name: N, event: EventMap[N]): void {
    this.#emitter.emit(name, event);
  }

  /** Whether an event has a listener. */
  isWanted(name: EventName): boolean {
    return this.#emitter.listenerCount(name) > 0;
  }

  /** Calls back when an event gets its first listener or loses its last one; replaces the callback before. */
  watchInterest(callback: (name: EventName, wanted: boolean) => void): void {
    this.#onInterest = callback;
  }

  /**
   * Subscribes; returns the unsubscriber. An error of a listener is thrown again after the emitting code has finished:
   * it reaches the process's `uncaughtException`, as with any emitter, but breaks no bookkeeping.
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
