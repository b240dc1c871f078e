/**
 * What is said about sockets by those who make them and those who use them: options, and a socket that listens already.
 */
import type { Address } from './address.ts';

/** How the system finds out that a peer has vanished; TCP only. */
export interface SocketOptions {
  /** Absent: quiet connections are never asked whether they still have a peer. */
  readonly keepalive?: Keepalive | undefined;
  /**
   * How long bytes may be on their way without an acknowledgement before the connection breaks. Absent: as long as
   * the system likes, on Linux about 15 minutes.
   */
  readonly userTimeoutMs?: number | undefined;
}

/** The times count in whole seconds, rounded up. */
export interface Keepalive {
  /** A connection that has been quiet for so long is asked for a sign of life. */
  readonly idleMs: number;
  /** Time between one question and the next, while none is answered. */
  readonly intervalMs: number;
  /** Unanswered questions after which the connection breaks, as if its peer had reset it. */
  readonly count: number;
}

/** A socket that somebody else has bound and made to listen, such as control for its workers. */
export interface ListeningSocket {
  readonly kind: 'listening';
  /** Its descriptor; the engine's own from the call on, to be closed with the listener. */
  readonly fd: number;
  readonly address: Address;
}
