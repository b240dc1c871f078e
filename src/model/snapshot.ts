/**
 * What `LoadBalancer.snapshot()` shows: everything that is going on, as plain data.
 *
 * Place: control, hosts and the mirror fill in their parts; composition puts them together, observers read them.
 */
import type { BandwidthLimits } from './listener-plan.ts';
import type { HelloPlan } from './hello-plan.ts';
import type { PoolFigures } from './pool-figures.ts';
import type { BackendStateWord, MirrorMode, MirrorTrouble, OperatorState, UpstreamMode } from './words.ts';

/** The state of a backend according to its agent's answers so far. */
export interface AgentWord {
  readonly percent: number;
  readonly maxSessions: number | undefined;
  readonly state: OperatorState;
  readonly health: 'up' | 'down';
}

/** One backend, as `snapshot()` shows it, but for its pool. */
export interface BackendStatus {
  /** Its configured address. */
  readonly backend: string;
  /**
   * `up`: well. `standby`: a backup that is well and not needed. `down`: by its checks or its agent. `unresolved`:
   * its name has no address. `ejected`, `trial`: out after failures of live sessions, or about to be tried again.
   * `drain`, `maint`: set by an operator or its agent, or of weight 0. `removed`: only its sessions are still there.
   */
  readonly state: BackendStateWord | 'removed';
  /** For how long it is in this state, in milliseconds. */
  readonly stateForMs: number;
  /**
   * Why it is in this state: what its checks or its agent answered, or how its last session failed. Absent for one that
   * is well.
   */
  readonly why?: string;
  /** Whether new sessions may go to it; in panic also to those that are not well. */
  readonly takesSessions: boolean;
  /** The verdict of its checks; `unchecked` before the first one and without checks. */
  readonly health: 'up' | 'down' | 'unchecked';
  /** The state that an operator has set. */
  readonly operator: OperatorState;
  /** The agent's word; undefined before its first answer and without an agent. */
  readonly agent: AgentWord | undefined;
  readonly backup: boolean;
  /** While it is ejected or on trial: the number of ejections in a row, and the length of this one. */
  readonly ejection: { readonly times: number; readonly forMs: number } | undefined;
  /** The part of its weight that slow start and agent leave: 1 for all of it; an agent can also give more. */
  readonly share: number;
  /** As configured, or as an operator has set it since. */
  readonly weight: number;
  /** The most sessions that it gets, as configured or as it was added; undefined for no limit. */
  readonly maxSessions: number | undefined;
  /** Sessions that hold it now. */
  readonly sessions: number;
  /** Sessions of other instances that hold it, as last received; 0 where nothing is shared. */
  readonly elsewhere: number;
  /** The sources that name it, such as `file targets.yaml`. Absent: none does. */
  readonly sources?: readonly string[] | undefined;
}

/** One source of backends, as `snapshot()` shows it. */
export interface SourceStatus {
  /** Its type and what it asks, such as `file targets.yaml`. */
  readonly source: string;
  /** `waiting`: it has not been heard of yet. */
  readonly state: 'waiting' | 'answering' | 'failing';
  /** Backends that count, because it names them or `held` of them because it did until a moment ago. */
  readonly backends: number;
  readonly held: number;
  /** How long ago it last gave an answer that could be used, in milliseconds; absent: never. */
  readonly answeredAgoMs?: number;
  /** While it fails: why, and for how long. */
  readonly why?: string;
  readonly failingForMs?: number;
}

/** What an operator has changed at runtime and the configuration says otherwise. It lasts until that changes the key. */
export interface OperatorOverride {
  readonly backend: string;
  /** `added`: not in the configuration. `removed`: only there. */
  readonly what: 'added' | 'removed' | 'weight' | 'state';
  /** Of a weight or state: as configured, and as it is. */
  readonly configured?: number | string;
  readonly now?: number | string;
}

/** One upstream, as `snapshot()` shows it, but for what data planes add. */
export interface UpstreamStatus {
  readonly name: string;
  readonly strategy: string;
  /**
   * `backups`: they stand in. `panic`: no backend or too few are well, so health is ignored. `down`: no backend gets
   * sessions.
   */
  readonly mode: UpstreamMode;
  /**
   * Sessions that wait for a backend with room, and the most that may. `longestMs`: the longest wait since sessions
   * last began to wait.
   */
  readonly queue: { readonly waiting: number; readonly max: number; readonly longestMs: number };
  /** Sessions that have a backend, and the most that may over all of them; absent: no limit. */
  readonly limit?: { readonly sessions: number; readonly max: number } | undefined;
  readonly backends: readonly BackendStatus[];
  /** Where backends come from, besides the configuration. Absent: from nowhere. */
  readonly sources?: readonly SourceStatus[];
  /** How it differs from the configuration, by the hands of operators. */
  readonly overrides: readonly OperatorOverride[];
}

/** What `snapshot()` shows of the mirror of one upstream. */
export interface MirroredUpstreamView {
  readonly upstream: string;
  /** `shared`: other instances' sessions count. `local`: only this instance's own do. */
  readonly mode: MirrorMode;
  /** Why the last exchange failed; undefined when it did not. */
  readonly trouble: MirrorTrouble | undefined;
  /** In mode `shared`: age of the oldest count in use, in milliseconds. */
  readonly ageMs: number | undefined;
  /** Names of the other instances that publish. */
  readonly others: readonly string[];
}

export interface MirrorView {
  /** The name of this instance. */
  readonly instance: string;
  readonly upstreams: readonly MirroredUpstreamView[];
}

/** A certificate in use. */
export interface CertificateView {
  /** As it is configured. */
  readonly file: string;
  readonly names: readonly string[];
  readonly issuer: string;
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** Whole days; negative once it has expired. */
  readonly daysLeft: number;
}

/** The TLS of a listener or an upstream. */
export interface TlsView {
  /** Of a listener in the order in which they count; of an upstream what backends get that ask, if any. */
  readonly certificates: readonly CertificateView[];
  readonly minVersion: string;
  /** What clients have to show: the file of the authorities. Absent: nothing. */
  readonly clients?: { readonly ca: string; readonly certificate: 'required' | 'optional' };
  /** Of an upstream: whether certificates of backends have to be valid, and the file of the authorities, if any. */
  readonly verify?: boolean;
  readonly ca?: string;
  /** The protocol in which TLS is asked for. Absent: it begins at once. */
  readonly starttls?: string;
}

/** One listener, as its host shows it. */
export interface HostListenerView {
  readonly name: string;
  readonly addresses: readonly string[];
  /** It does not listen, because its upstream has no backend (`stopWhenDown`). Absent: false. */
  readonly stopped?: boolean;
  /** True while new clients wait because a limit is reached. */
  readonly paused: boolean;
  readonly sessions: number;
  /** The engine that serves it: `node` where it needs TLS, whatever serves the others. */
  readonly engine: string;
}

/** One data-plane thread. */
export interface WorkerView {
  /** From 1 on; kept when it is restarted. */
  readonly worker: number;
  readonly engine: string;
  readonly state: 'running' | 'stalled' | 'restarting';
  readonly sessions: number;
  readonly sessionsEver: number;
  /** For how long it has given no sign of life, to half a second; absent while it is started again. */
  readonly silentMs?: number;
}

/** `leaving`: a drain has been asked for, and clients are still taken for `drain.delay`: it is not ready any more. */
export type LoadBalancerState = 'new' | 'starting' | 'running' | 'leaving' | 'draining' | 'stopped';

/** What is going on, as plain data. */
export interface LoadBalancerSnapshot {
  readonly state: LoadBalancerState;
  /** New clients should be sent here: true while it is running. */
  readonly ready: boolean;
  readonly engine: string;
  /** Sessions that run now, and all that have ever run. */
  readonly sessions: number;
  readonly sessionsEver: number;
  /** Sessions that can run at once: `limits.maxSessions` or what file descriptors allow; undefined for no limit. */
  readonly maxSessions: number | undefined;
  /** The data planes' threads; none when the data plane runs in the caller's thread. */
  readonly workers: readonly WorkerView[];
  readonly listeners: readonly ListenerView[];
  readonly upstreams: readonly UpstreamView[];
  /** State of the sharing with other instances; undefined where `redis` is not configured. */
  readonly mirror: MirrorView | undefined;
}

/** One listener, as `snapshot()` shows it. */
export interface ListenerView extends HostListenerView {
  /** Time since new clients began to wait; undefined while they do not. */
  readonly pausedMs: number | undefined;
  /** Where TLS clients go by their names and protocols, and what becomes of others. Absent: names are not looked at. */
  readonly sni?: Pick<HelloPlan, 'routes' | 'others'>;
  /** Its limits as configured. Absent: it has none. */
  readonly limits?: LimitsView;
  /** Absent: TLS does not end here. */
  readonly tls?: TlsView;
}

/** Rates are texts such as `50/s`, bandwidths are bytes per second. */
export interface LimitsView {
  /** `true`: those of clients and networks, and `rate`, only count. */
  readonly dryRun?: boolean;
  readonly maxSessions?: number | undefined;
  readonly rate?: string | undefined;
  readonly burst?: number | undefined;
  readonly perClient?: EachView | undefined;
  readonly perNetwork?: EachView | undefined;
  readonly bandwidth?: BandwidthLimits | undefined;
  readonly perSession?: { readonly bandwidth?: BandwidthLimits | undefined } | undefined;
}

interface EachView {
  readonly sessions?: number | undefined;
  readonly rate?: string | undefined;
  readonly burst?: number | undefined;
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
  readonly clients: number;
}

/** One upstream, as `snapshot()` shows it. */
export interface UpstreamView extends UpstreamStatus {
  /** `left`: further attempts that `connect.retryBudget` allows now, of all workers together. */
  readonly retryBudget: { readonly left: number };
  /** Absent: backends get bytes as they are. */
  readonly tls?: TlsView;
  readonly backends: readonly BackendView[];
}

/** One backend, as `snapshot()` shows it. */
export interface BackendView extends BackendStatus {
  /** Connections to it that are open or being opened: those of sessions, and spare ones. */
  readonly connections: number;
  /** Spare connections, and the numbers of sessions that got one or had to connect. */
  readonly pool: PoolFigures;
}
