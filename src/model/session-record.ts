/**
 * The record of a session that has ended: one plain value for access log, event and metrics.
 */
import type { Termination } from './termination.ts';

export interface SessionRecord extends Termination {
  readonly id: string;
  readonly listener: string;
  readonly upstream: string;
  /** The client's IP address and port; '' and 0 for a unix socket. */
  readonly clientAddress: string;
  readonly clientPort: number;
  /** The IP address of the proxy in front that has named the client; '' for a unix socket; absent: there was none. */
  readonly proxyAddress?: string;
  /** The id that it has given the session; in hexadecimal, unless it is plain text. Absent: none. */
  readonly uniqueId?: string | undefined;
  /** The host that a TLS client wants to reach, where the listener looks (`tls`, `sni`, `connectWhen: tlsHello`). Absent: none. */
  readonly serverName?: string | undefined;
  /** This and the next four: where the listener ends TLS (`tls`). Such as `TLSv1.3`. */
  readonly tlsVersion?: string;
  /** As OpenSSL writes it. */
  readonly tlsCipher?: string;
  /** The client had a ticket of an earlier session. */
  readonly tlsResumed?: boolean;
  /** The protocol that was agreed on; absent: none. */
  readonly alpn?: string | undefined;
  /** The name in the client's certificate, which was verified; absent: it has shown none. A stranger may have chosen it. */
  readonly clientCertificate?: string | undefined;
  /** Where the client connected to: an address of this machine with its port. '' for a unix socket. */
  readonly localAddress: string | undefined;
  /** The backend that served it, or the last one tried; undefined when there was none to try. */
  readonly backend: string | undefined;
  /** This machine's end of the connection to the backend, as the backend sees it; undefined where there was none. */
  readonly sourceAddress: string | undefined;
  /** Connects and warm hand-overs that were attempted. */
  readonly attempts: number;
  /** The backend of each attempt, in their order; of more than 33 the first 32 and the last. */
  readonly tried: readonly string[];
  /** True when the backend connection was a warm spare. */
  readonly warm: boolean;
  /** True when it had been left clean by an earlier session (`pool.reuse`). */
  readonly reused: boolean;
  /** Milliseconds since 1970 at which the session began; a client may have waited for it at a full listener. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** All its time in the queue for a backend with room; undefined when it did not wait. */
  readonly queuedMs: number | undefined;
  /** From the last pick to the established connection; undefined when none was established. */
  readonly connectMs: number | undefined;
  /** From the established connection to the backend's first byte; undefined when it sent none. */
  readonly firstByteMs: number | undefined;
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
}
