/**
 * The contract between the mirror and what instances share: one upstream's counts go out and everybody's totals
 * come back, in one step that nothing can come between.
 *
 * Place: `redis-exchange.ts` implements it over Redis; the simulation and the tests of the mirror's logic over a
 * plain model. One contract suite runs on both (test/contracts/exchange.ts).
 * Why absolute counts under a lease: a repeated or late publication does no harm, and what a killed instance has
 * counted goes by itself (docs/adr/0009).
 */
import type { MirrorFailure } from '../../model/words.ts';

/** What one instance says of one upstream. */
export interface Publication {
  readonly upstream: string;
  /** The instance's name: letters, digits, `.`, `_`, `-`. */
  readonly instance: string;
  /** Tells this process from another one that bears the same name; random, new at each start. */
  readonly owner: string;
  /** Greater with each publication of the same owner; one that arrives after a later one changes nothing. */
  readonly number: number;
  /** For how long it counts unless renewed, in milliseconds. */
  readonly leaseMs: number;
  /** Live sessions by backend address: all backends of the upstream, idle ones included. */
  readonly counts: ReadonlyMap<string, number>;
  /** How many sessions this instance has placed on average that the others cannot know of yet; at least 0. */
  readonly unseen: number;
}

/** Everybody's counts of one upstream, as of one moment. */
export interface Totals {
  readonly kind: 'totals';
  /** Greater with each change of the totals, unless Redis has lost its data; see `Change`. */
  readonly version: number;
  /** The publication's own instance had no lease before it: the others may not be back either. */
  readonly wasUnknown: boolean;
  /** Live sessions by backend address, of all instances together, the publication's own included. */
  readonly totals: ReadonlyMap<string, number>;
  /** Sum of the other instances' `unseen`. */
  readonly unseen: number;
  /** The other instances with a lease. */
  readonly others: readonly string[];
  /** How long ago the most silent of the others has published, in milliseconds; 0 without others. */
  readonly ageMs: number;
  /** Small changes are told at once at present; else there are too many of them. */
  readonly isTelling: boolean;
}

/** Another process holds the name: nothing was published, and nothing can be learned. */
export interface NameTaken {
  readonly kind: 'nameTaken';
}

/**
 * Small changes of the totals, told at once to whoever shares the upstream. To be applied to totals of exactly
 * `version - 1`; whoever has others has missed one, and waits for his next exchange.
 */
export interface Change {
  readonly upstream: string;
  /** Whose publication it was: who hears of his own counts them already. */
  readonly instance: string;
  readonly version: number;
  /** By how much each total has changed. */
  readonly deltas: ReadonlyMap<string, number>;
}

export class ExchangeError extends Error {
  override readonly name = 'ExchangeError';
  readonly reason: MirrorFailure;

  constructor(reason: MirrorFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export interface Exchange {
  /** Publishes and reads. Rejects with an `ExchangeError`, after a bounded time; may have published all the same. */
  exchange(publication: Publication): Promise<Totals | NameTaken>;
  /**
   * Takes an instance's counts out, if the owner still holds the name. Rejects as `exchange` does.
   * `number` as in a publication, so that no late one brings them back.
   */
  withdraw(who: Pick<Publication, 'upstream' | 'instance' | 'owner' | 'number'>): Promise<void>;
  /** Whoever shares counts hears of small changes here; replaces the listener before. */
  onChange(listener: (change: Change) => void): void;
  /** Called when a lost connection is back: a good moment to try again. Replaces the listener before. */
  onReady(listener: () => void): void;
  /** Closes the connections without waiting for anything. Idempotent. */
  close(): void;
}
