/**
 * What makers and users of sockets share: options, and a socket that listens already.
 */
import type { Address } from './address.ts';

/** What is asked of the kernel for TCP sockets. Whatever is absent is the system's own, and costs no call. */
export interface SocketOptions {
  /** Absent: a quiet connection is never probed for its peer. */
  readonly keepalive?: Keepalive | undefined;
  /**
   * How long bytes may be on their way without an acknowledgement before the connection breaks. Absent: the system's
   * default, on Linux about 15 minutes.
   */
  readonly userTimeoutMs?: number | undefined;
  /**
   * Of a listening socket: a client is let in with its first bytes, or after this long without any. In whole seconds,
   * rounded up, by the kernel then to 1, 3, 7, 15, 31 or 63 of them. Absent: at once.
   */
  readonly deferAcceptMs?: number | undefined;
  /** False: a small write may wait until what was sent before is acknowledged. Absent: it leaves at once. */
  readonly noDelay?: false | undefined;
  /** Of a listening socket: clients that may wait in its queue. Absent: as many as the system allows. */
  readonly backlog?: number | undefined;
  /** Of a listening socket: clients at a time whose first bytes may come with their SYN. Absent: none. */
  readonly fastOpen?: number | undefined;
  /** What has to be set before a socket is bound or connected. */
  readonly early?: EarlyOptions | undefined;
}

export interface EarlyOptions {
  readonly sendBufferBytes?: number | undefined;
  readonly receiveBufferBytes?: number | undefined;
  /** The class that packets are marked with, 0 to 63. */
  readonly dscp?: number | undefined;
  /** The interface that all its packets go through and come from. */
  readonly interface?: string | undefined;
  /** Of a listening socket: it may have an address that no interface has. */
  readonly freebind?: true | undefined;
  /** One connection over several paths, where the peer does the same. */
  readonly mptcp?: true | undefined;
  /** Of a connection: the IP addresses that it comes from, in turn, or that of the client that it is for. */
  readonly source?: readonly string[] | 'client' | undefined;
}

/** All times in whole seconds, rounded up. */
export interface Keepalive {
  /** After this long without traffic a connection is probed. */
  readonly idleMs: number;
  /** Time between two probes while none is answered. */
  readonly intervalMs: number;
  /** Unanswered probes after which the connection breaks, as if its peer had reset it. */
  readonly count: number;
}

/** A socket that is bound and listens already, such as one that control opens for its workers. */
export interface ListeningSocket {
  readonly kind: 'listening';
  /** Its descriptor; owned by the engine from the call on, and closed with the listener. */
  readonly fd: number;
  readonly address: Address;
  /**
   * It stays open when lb4 closes it, because another process has it, too: new clients wait there, and none is refused.
   */
  readonly isLent?: boolean | undefined;
}

/** A listening socket that this process was given at its start, and that the giver keeps, too. */
export interface PassedSocket {
  readonly fd: number;
  /** '' where it has none. */
  readonly name: string;
  /** Where a predecessor had it: the key of its bind point. Such a socket may be left over. */
  readonly key?: string | undefined;
}

/** The listening sockets of one bind point, which one lb4 hands over to the next. */
export interface HandedSockets {
  /** The key of the point. */
  readonly key: string;
  /** The name of its listener, or the one that the service manager has given. */
  readonly name: string;
  /** One for each worker of the predecessor. */
  readonly fds: readonly number[];
  /** The service manager has them, too. */
  readonly isLent: boolean;
  /** The file of a unix socket; absent where it is not lb4's. */
  readonly file?: { readonly path: string; readonly dev: bigint; readonly ino: bigint } | undefined;
}
