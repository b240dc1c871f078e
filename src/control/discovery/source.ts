/**
 * What names backends while lb4 runs: a file, a name server, an API.
 *
 * Place: one per entry of an upstream's `discovery`, made by create-source.ts, held by `Discovery`.
 * Invariants:
 * - A source never throws. It reports a whole set each time, and nothing before `start` has returned, nor after `stop`.
 * - A failure says nothing about backends: those of the last set stay.
 */
import type { BackendConfig } from '../../config/schema/schema.ts';

export interface SourceReports {
  /**
   * All backends that the source names now, each once; none is an answer, too. `isFirm`: what is missing was taken out on
   * purpose, so it goes at once, however often that has happened.
   */
  found(backends: readonly BackendConfig[], isFirm?: boolean): void;
  /** The source could not be asked, or its answer not be used. `reason`: for a person, on one line. */
  failed(reason: string): void;
}

export interface DiscoverySource {
  start(reports: SourceReports): void;
  stop(): void;
  /** Takes registrations; absent: the source takes none. */
  readonly registry?: Registry;
}

export interface Registry {
  /** The longest that a registration lasts, in milliseconds. */
  readonly longestMs: number;
  /** Registers a backend, or takes its heartbeat. 'full': there are as many as may be. */
  register(backend: BackendConfig, ttlMs: number): 'new' | 'known' | 'full';
  /** False: it was not registered. */
  unregister(backend: string): boolean;
  has(backend: string): boolean;
}
