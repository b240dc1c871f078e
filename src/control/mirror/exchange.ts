/**
 * The contract between the mirror and the store that instances share: one upstream's counts go out and the totals of
 * all instances come back, in one atomic step.
 *
 * Place: `redis-exchange.ts` implements it over Redis; the simulation and the tests of the mirror's logic over a
 * plain model. One contract suite runs on both (test/contracts/exchange.ts).
 * Why absolute counts under a lease: a repeated or late publication does no harm, and the counts of a killed instance
 * expire (docs/adr/0009).
 */
import type { MirrorFailure } from '../../model/words.ts';

/** One instance's counts of one upstream. */
export interface Publication {
  readonly upstream: string;
  /** The instance's name: letters, digits, `.`, `_`, `-`. */
  readonly instance: string;
  /** Distinguishes this process from another one of the same name; random, new at each start. */
  readonly owner: string;
  /** Greater with each publication of the same owner; one that arrives after a later one changes nothing. */
  readonly number: number;
  /** Milliseconds after which the publication expires unless renewed. */
  readonly leaseMs: number;
  /** Live sessions by backend address: all backends of the upstream, idle ones included. */
  readonly counts: ReadonlyMap<string, number>;
  /** Average number of sessions that this instance has placed and the others cannot know of yet; at least 0. */
  readonly unseen: number;
}

/** The counts of all instances of one upstream, as of one moment. */
export interface Totals {
  readonly kind: 'totals';
  /** Greater with each change of the totals, unless Redis has lost its data; see `Change`. */
  readonly version: number;
  /** The publishing instance had no lease before: after an outage the others may not be back either. */
  readonly wasUnknown: boolean;
  /** Live sessions by backend address, of all instances together, the publication's own included. */
  readonly totals: ReadonlyMap<string, number>;
  /** Sum of the other instances' `unseen`. */
  readonly unseen: number;
  /** The other instances with a lease. */
  readonly others: readonly string[];
  /** Age of the oldest publication among the others' latest, in milliseconds; 0 without others. */
  readonly ageMs: number;
  /** Whether small changes are reported at once at present; false while there are too many of them. */
  readonly isTelling: boolean;
}

/** Another process holds the name: nothing was published, and nothing can be learned. */
export interface NameTaken {
  readonly kind: 'nameTaken';
}

/**
 * Small changes of the totals, reported at once to all instances that share the upstream. To be applied to totals of
 * exactly `version - 1`; an instance with totals of an earlier version has missed a change and waits for its next
 * exchange.
 */
export interface Change {
  readonly upstream: string;
  /** The instance that published it; this one counts the change already. */
  readonly instance: string;
  readonly version: number;
  /** Difference of each total that has changed. */
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
  /** Publishes and reads. Rejects with an `ExchangeError` within a bounded time; it may have published all the same. */
  exchange(publication: Publication): Promise<Totals | NameTaken>;
  /**
   * Takes an instance's counts out, if the owner still holds the name. Rejects as `exchange` does.
   * `number` is as in a publication, so that no late publication brings the counts back.
   */
  withdraw(who: Pick<Publication, 'upstream' | 'instance' | 'owner' | 'number'>): Promise<void>;
  /** Called with each small change of an upstream that this instance shares; replaces the listener before. */
  onChange(listener: (change: Change) => void): void;
  /** Called when a lost connection is back: a good moment to try again. Replaces the listener before. */
  onReady(listener: () => void): void;
  /** Closes the connections without waiting for anything. Idempotent. */
  close(): void;
}
