/**
 * How a session ended: who ended it, in which phase, and why.
 *
 * Place: on the data path failures are values of this type, never exceptions. The same triple stands in the access log,
 * in the event and (later) in the metric. The sets are closed: docs/terminations.md lists them.
 */

/** The side that ended the session; 'balancer' is lb4 itself: a limit, a timeout, a drain, nothing to pick. */
export type EndedBy = 'client' | 'backend' | 'balancer';

/** How far the session had come. */
export type Phase = 'admission' | 'queue' | 'connect' | 'relay' | 'drain';

export const REASONS = [
  /** Both directions ended with FIN and everything was delivered; `by` is the side that sent its FIN first. */
  'closed',
  /** The side named by `by` reset its connection. */
  'reset',
  /** A sender whose PROXY protocol header is required has sent something else. */
  'noProxyHeader',
  /** A trusted sender's PROXY protocol header is malformed, too long, or has a wrong checksum. */
  'badProxyHeader',
  /** `access` of the listener refuses the client's address. */
  'denied',
  /** The client had as many sessions as `limits.perClient` allows. */
  'clientSessions',
  /** The client came faster than `limits.perClient` allows. */
  'clientRate',
  /** The clients of its network had as many sessions as `limits.perNetwork` allows. */
  'networkSessions',
  /** The clients of its network came faster than `limits.perNetwork` allows. */
  'networkRate',
  /** Counted with `dryRun` only: clients came faster than the listener's `rate`, and would have waited. */
  'listenerRate',
  /** A client of a listener for TLS has sent something else than a ClientHello. */
  'noClientHello',
  /** The ClientHello is malformed or too long, or names no host where it should. */
  'badClientHello',
  /** No route of `sni` has the client, and others are refused. */
  'noRoute',
  /** A client of a listener with `tls.starttls` does not ask for TLS as its protocol has it. */
  'noTls',
  /** The client speaks no TLS, or its handshake agreed on nothing. */
  'badHandshake',
  /** The client's certificate is missing or was refused; by the client: it has refused that of the listener. */
  'badCertificate',
  /** No byte in either direction for `timeouts.idle`. */
  'idle',
  /** One direction had ended and the other was silent for `timeouts.halfClosed`. */
  'halfClosed',
  /** The session reached `timeouts.lifetime`. */
  'lifetime',
  /** No backend was eligible: all are out or of weight 0, or down while panic is off. */
  'noBackend',
  /** Every eligible backend, or the upstream, was at its `maxSessions`, and `queue.max` sessions waited already. */
  'full',
  /** The session waited for `queue.timeout`, and no backend had room. */
  'queueTimeout',
  /** No backend was well, and another attempt would have exceeded the upstream's `connect.retryBudget`. */
  'retryBudget',
  /** All attempts together have taken as long as `connect.deadline`. */
  'deadline',
  /** The last backend tried refused the connection. */
  'refused',
  /** The last backend tried did not accept within `connect.timeout`. */
  'timeout',
  /** The network or the host of the last backend tried could not be reached. */
  'unreachable',
  /** The last backend tried accepted, but there was no TLS with it, or its certificate was refused. */
  'tls',
  /** This machine ran out of descriptors or memory while connecting; no backend is to blame. */
  'localResources',
  /** The session's backend went down, and `whenDown` is `reset`. */
  'backendDown',
  /** The session was on a backup, a primary backend is well again, and `leaveBackups` is `reset`. */
  'primaryBack',
  /** An operator has ended it. */
  'operator',
  /** The session still ran in the last part of `drainTimeout` (`drain.spread`), or at its end. */
  'drainTimeout',
  /** lb4 received the order to stop at once. */
  'stopped',
  /** The thread that moved the session's bytes has died: a defect, or a strategy of the user's own ended it. */
  'workerDied',
] as const;

export type Reason = (typeof REASONS)[number];

export interface Termination {
  readonly by: EndedBy;
  readonly phase: Phase;
  readonly reason: Reason;
}
