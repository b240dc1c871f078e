/**
 * The contract between a strategy (the algorithm that chooses a backend) and the code that uses it.
 *
 * Place: `strategies/` is a leaf: it imports nothing from `src/` and can be used by itself. The picker in
 * `src/data/dispatch` builds one strategy per upstream plan and replaces it whole when the plan changes.
 * Invariants:
 * - `pick` is synchronous and never throws;
 * - it never returns a candidate of weight 0 or one that `context.skip` refuses;
 * - it does not change any live count itself (the picker's lease does that).
 */

import type { Turns } from './turns.ts';

/** One eligible backend, as a strategy sees it. */
export interface Candidate {
  /** Identity that outlives plans and is the same on every instance: the backend's configured address. */
  readonly id: string;
  /** Relative share, an integer ≥ 0; 0 takes no new sessions. */
  readonly weight: number;
  /** Sessions of this instance that hold this backend now, counted from the pick on. */
  live(): number;
  /**
   * Sessions of other instances that hold it, as last received; 0 while nothing is known of them. Absent: nothing is
   * shared with others. Changes for all candidates together, when `heard` is called, and never in between.
   */
  elsewhere?(): number;
}

/** What is known about the session that needs a backend. */
export interface PickContext {
  /** The client's IP address without port, or '' when it has none (unix sockets). */
  readonly clientAddress: string;
  /** By what the client is to be told apart (`hashBy`). Absent: by its address. */
  readonly hashKey?: string;
  /** True for a candidate that must not be picked this time: already tried, or full. Absent: none. */
  readonly skip?: (candidate: Candidate) => boolean;
}

export interface Strategy {
  /** Chooses a backend, or undefined when every candidate is skipped or has weight 0. */
  pick(context: PickContext): Candidate | undefined;
  /** Called after a candidate's live count has changed: one more after its pick, one less at the session's end. */
  changed?(candidate: Candidate): void;
  /** Called with the time a connect to the candidate took, in milliseconds. */
  connected?(candidate: Candidate, connectMs: number): void;
  /**
   * Called when `elsewhere` of the candidates has changed, and once after the strategy was built if there is any.
   * @param unseen how many sessions the other instances are likely to place, over all candidates, that `elsewhere`
   *   does not count: those since the counts were taken and until the next counts arrive; at least 0
   */
  heard?(unseen: number): void;
}

export interface StrategyDeps {
  /** Monotonic time in milliseconds. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /**
   * Where the turns are kept for several threads that balance over the same candidates. Absent: each thread takes turns
   * for itself. Only `roundrobin` looks at it.
   */
  readonly turns?: Turns | undefined;
  /** No candidate is to have more than this times the average of its weight; at least 1. Only `iphash` looks at it. */
  readonly balanceFactor?: number | undefined;
}

/**
 * Builds a strategy over a plan's candidates. `previous` is the strategy that it replaces (of the same
 * upstream, possibly another kind), so that a ring position or a moving average survives the replacement;
 * such state is kept by candidate id, never by index.
 */
export type StrategyFactory = (
  candidates: readonly Candidate[],
  deps: StrategyDeps,
  previous?: Strategy,
) => Strategy;
