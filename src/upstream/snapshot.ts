/**
 * What control tells the data plane about an upstream: one immutable, plain value, replaced whole.
 *
 * Place: built by `upstream.ts` (control), read by `src/dispatch` (data). It holds no functions and no
 * handles, so that it can be posted to another thread as it is.
 */
import type { Address } from '../support/address.ts';

export interface BackendSnapshot {
  /** The configured address in canonical form; identity across snapshots. */
  readonly id: string;
  /** Where its live count stands in the shared counts. */
  readonly slot: number;
  /** Tells the slot from the same slot when it had another owner. */
  readonly tag: number;
  /** Where to connect, in this order: numeric, or a unix path. None while its name has never been resolved. */
  readonly addresses: readonly Address[];
  /** As it counts now: also scaled by a slow start or an agent, and then by the same factor in all backends. */
  readonly weight: number;
  /** As it counts now; undefined: no limit. */
  readonly maxSessions: number | undefined;
  /** May new sessions be sent to it? */
  readonly eligible: boolean;
  /**
   * Its ejection is over, and one session may try it, although it is not eligible: the one that takes the trial which
   * control has put on offer.
   */
  readonly trial: boolean;
  /** A backup that is not eligible, for sessions that find no eligible one (see `BackendJudgement`). */
  readonly reserve: boolean;
  /** Nothing is known against it; in panic backends that are not well are eligible too. */
  readonly well: boolean;
  /** Its sessions are to be reset: it is down, and `whenDown` says so. */
  readonly resetSessions: boolean;
}

export interface UpstreamSnapshot {
  readonly name: string;
  readonly backends: readonly BackendSnapshot[];
}
