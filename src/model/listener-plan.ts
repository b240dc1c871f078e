/**
 * What control sends to the data planes about the listeners, all of them at once, and about the instance as a whole.
 *
 * Place: made by `listener-plans.ts` from the configuration, completed by the host with the sockets that it has bound,
 * read by `data-plane.ts`. Plain values, so that they can be posted; each plan replaces the one before as a whole.
 */
import type { AccessPlan } from './access-list.ts';
import type { HelloPlan } from './hello-plan.ts';
import type { TlsServerSettings } from '../engine/tls.ts';
import type { ListeningSocket, SocketOptions } from '../support/socket.ts';
import type { ClientRules, ClientTableMemory } from '../shared-memory/client-table.ts';
import type { CounterChunk } from '../shared-memory/counters/counters.ts';
import type { BucketRule } from '../shared-memory/token-bucket.ts';
import type { ListenAddress } from '../support/address.ts';

/** One address of a listener. */
export interface BindPoint {
  /** The same for the same address in each plan, also in another listener; no two points share one. */
  readonly key: string;
  /** An address to bind, or a socket that the host has bound. */
  readonly where: ListenAddress | ListeningSocket;
}

/** Ends the key of a point whose socket speaks MPTCP. */
export const BY_MPTCP = ' by MPTCP';

export function isMptcp(key: string): boolean {
  return key.endsWith(BY_MPTCP);
}

export interface Timeouts {
  /** The first three in milliseconds; 0: none. */
  readonly idle: number;
  readonly halfClosed: number;
  readonly lifetime: number;
  /** By how many hundredths at most a session's lifetime is longer, at random. */
  readonly lifetimeJitter: number;
}

/** What a client gets when no backend can take it. */
export type WhenUnavailable = 'reset' | 'close' | 'http503';

/** Whose PROXY protocol headers are believed. */
export interface AcceptProxy {
  /** Networks such as `10.0.0.0/8`, and `unix`. */
  readonly from: readonly string[];
  /** The longest wait for a header, in milliseconds. */
  readonly timeout: number;
  /** A sender among `from` that sends something else is refused. */
  readonly required: boolean;
}

/** Most bytes per second; undefined: no limit. */
export interface BandwidthLimits {
  readonly fromClient?: number | undefined;
  readonly fromBackend?: number | undefined;
}

/** What one client is allowed, whatever of its address that is. */
export interface ClientLimits extends ClientRules {
  /** Where clients are counted. */
  readonly table: ClientTableMemory;
}

export interface ListenerLimits {
  /** Sessions at once. */
  readonly maxSessions?: number | undefined;
  /** New sessions, over all data planes; absent: at any rate. */
  readonly rate?: BucketRule | undefined;
  /** Of each client, and of all clients of a network together. */
  readonly perClient?: ClientLimits | undefined;
  readonly perNetwork?: ClientLimits | undefined;
  /** Of all its sessions together. This and the next: also for the sessions that run. */
  readonly bandwidth?: BandwidthLimits | undefined;
  readonly perSession?: { readonly bandwidth?: BandwidthLimits | undefined } | undefined;
}

export interface ListenerPlan {
  readonly name: string;
  readonly bind: readonly BindPoint[];
  /** Its upstream has no backend: of its addresses only those are listened at whose sockets another process keeps open. */
  readonly isStopped?: boolean;
  /** For the clients' sockets. */
  readonly sockets: SocketOptions;
  /** The upstream of the clients that come from now on. */
  readonly upstream: string;
  readonly limits: ListenerLimits;
  /** Where its sessions are counted. */
  readonly slot: number;
  /** This and `whenUnavailable`: for the sessions that begin from now on. */
  readonly timeouts: Timeouts;
  readonly whenUnavailable: WhenUnavailable;
  /** Absent: no header is looked for. */
  readonly acceptProxy?: AcceptProxy | undefined;
  /** Its upstream's `connectWhen`: how long a client may be silent, in milliseconds. Absent: it need not say anything. */
  readonly firstByte?: { readonly timeout: number } | undefined;
  /** Absent: the first message of TLS clients is not looked at. */
  readonly hello?: HelloPlan | undefined;
  /** TLS ends here; absent: bytes go through as they are. */
  readonly tls?: TlsServerSettings | undefined;
  /** It has TLS, or an upstream that its clients may reach has: only an engine with TLS can serve it. */
  readonly needsTls?: boolean | undefined;
  /** Absent: every client may come in. */
  readonly access?: AccessPlan | undefined;
  /** What gates would refuse by a client's address or by its number of sessions is let in, and counted. */
  readonly dryRun?: boolean;
}

export interface ListenersPlan {
  readonly limits: {
    /** Sessions at once in all listeners together; Infinity for no limit. */
    readonly maxSessions: number;
  };
  /** Where all sessions of the instance are counted. */
  readonly slot: number;
  readonly listeners: readonly ListenerPlan[];
  /** Keys of points at which other data planes listen on the same sockets: the clients that wait there are theirs. */
  readonly elsewhere?: readonly string[];
  /** Where their slots are counted; absent where the data plane is in control's thread. */
  readonly counters?: readonly CounterChunk[];
}
