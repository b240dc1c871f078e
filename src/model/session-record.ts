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
  /** The backend that served it, or the last one tried; undefined when there was none to try. */
  readonly backend: string | undefined;
  /** Connects and warm hand-overs that were attempted. */
  readonly attempts: number;
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
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
}
