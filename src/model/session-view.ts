/**
 * A session that runs, as plain data: every data plane answers queries for it.
 *
 * Place: sessions describe themselves, hosts gather them from their threads.
 */
export interface SessionView {
  readonly id: string;
  readonly listener: string;
  readonly upstream: string;
  /** The backend that serves it or is being connected to; undefined while there is none. */
  readonly backend: string | undefined;
  /** The client's IP address and port; '' and 0 for a unix socket. */
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly phase: 'admission' | 'queue' | 'connect' | 'relay';
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
}

/** Selects sessions; a field that is absent matches all. */
export interface SessionFilter {
  readonly listener?: string | undefined;
  readonly upstream?: string | undefined;
  readonly backend?: string | undefined;
  /** The client's IP address. */
  readonly clientAddress?: string | undefined;
}

export interface SessionQuery extends SessionFilter {
  /** The most sessions to return. */
  readonly limit: number;
}

const KEYS = ['listener', 'upstream', 'backend', 'clientAddress'] as const;

export function matches(view: SessionView, filter: SessionFilter): boolean {
  return KEYS.every(key => filter[key] === undefined || filter[key] === view[key]);
}
