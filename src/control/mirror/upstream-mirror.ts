/**
 * One upstream's side of the mirror: what to publish when, what the others' publications mean, and how long they count.
 * No clock, no timer, no Redis of its own.
 *
 * Place: `upstream-exchanges.ts` asks it and carries its publications to Redis and the answers back; the simulation in
 * test/sim runs this same code.
 * Invariants:
 * - An answer counts whole or not at all.
 * - Nothing older than `BELIEVED` counts.
 * - An instance's own sessions never count twice.
 */
import type { MirrorFailure } from '../../model/words.ts';
import { boundedCount, MOST_SESSIONS_ELSEWHERE } from '../../support/bounded-count.ts';
import type { Change, Publication, Totals } from './exchange.ts';

/** An instance that does not publish for this long has gone. All others notice within three periods. */
const LEASE = { periods: 2, leastMs: 200 };
/** Counts of other instances that are older than this are forgotten. */
const BELIEVED = { periods: 3, leastMs: 300 };
/** Periods over which the number of sessions that others cannot know of yet is averaged. */
const AVERAGED_PERIODS = 4;
/** Extra exchanges, besides the regular ones: one per period, of which at most this many are saved up. */
const EXTRA_EXCHANGES = 4;

/** What the mirror needs of an upstream in this instance. */
export interface MirroredUpstream {
  readonly name: string;
  /** Calls `each` with the live sessions of this instance by backend address, idle backends included. */
  visit(each: (backend: string, sessions: number) => void): void;
  /** The sum of these sessions. */
  sessions(): number;
  /** Sessions this instance has placed: a 32-bit counter that wraps around. */
  placed(): number;
  /**
   * Takes over the counts of other instances; backends that are not named have 0.
   * @param unseen number of sessions that the others may have placed and `elsewhere` does not include
   */
  hear(elsewhere: ReadonlyMap<string, number>, unseen: number): void;
  /** Counts an exchange that failed. */
  failed(reason: MirrorFailure): void;
}

export interface UpstreamMirrorSettings {
  readonly periodMs: number;
  /** Distinguishes this process from others; random. */
  readonly owner: string;
}

/** What is known of the other instances. */
interface Heard {
  readonly version: number;
  readonly elsewhere: Map<string, number>;
  /** As reported by the others. */
  readonly unseen: number;
  readonly others: readonly string[];
  readonly ageMs: number;
  readonly isTelling: boolean;
  readonly atMs: number;
}

export class UpstreamMirror {
  readonly upstream: MirroredUpstream;
  readonly #settings: UpstreamMirrorSettings;
  #number = 0;
  /** This and the two below: as of the last publication. */
  #backends = 0;
  #placedThen: number;
  #sessionsThen = 0;
  #heard: Heard | undefined;
  /** The `unseen` that the pickers use. */
  #unseenInForce = 0;
  /** A change was missed: none is applied until the next exchange. */
  #missedChange = false;
  /** Average of the sessions that others could not know of yet. */
  #backlog = 0;
  #lookedAtMs: number;
  #extra = EXTRA_EXCHANGES;

  constructor(upstream: MirroredUpstream, settings: UpstreamMirrorSettings, nowMs: number) {
    this.upstream = upstream;
    this.#settings = settings;
    this.#placedThen = upstream.placed();
    this.#lookedAtMs = nowMs;
  }

  /** The other instances, and the age of what is known of them; undefined: nothing is known. */
  heard(nowMs: number): { readonly others: readonly string[]; readonly ageMs: number } | undefined {
    if (this.#heard === undefined) return undefined;
    const { others, ageMs, atMs } = this.#heard;
    return { others, ageMs: ageMs + nowMs - atMs };
  }

  /** Whether small changes are reported at once, according to the last answer. */
  get isTelling(): boolean {
    return this.#heard?.isTelling ?? true;
  }

  /** The next publication, with the counts of this moment. */
  publication(instance: string): Publication {
    const counts = new Map<string, number>();
    this.upstream.visit((backend, sessions) => counts.set(backend, sessions));
    this.#backends = counts.size;
    this.#placedThen = this.upstream.placed();
    this.#sessionsThen = this.upstream.sessions();
    this.#number += 1;
    return {
      upstream: this.upstream.name,
      instance,
      owner: this.#settings.owner,
      number: this.#number,
      leaseMs: inPeriods(LEASE, this.#settings.periodMs),
      counts,
      // Just before an exchange the backlog is twice its average, and a reader is late by as much again on average.
      unseen: 2 * this.#backlog,
    };
  }

  /** The withdrawal that takes this instance's counts out. */
  withdrawal(instance: string): Pick<Publication, 'upstream' | 'instance' | 'owner' | 'number'> {
    this.#number += 1;
    return { upstream: this.upstream.name, instance, owner: this.#settings.owner, number: this.#number };
  }

  /**
   * Takes over the answer to a publication. False when it does not count: after an outage the others may not be back
   * yet, and what was known before is worth more.
   */
  accept({ counts }: Publication, answer: Totals, nowMs: number): boolean {
    this.#missedChange = answer.wasUnknown;
    if (answer.wasUnknown) return false;
    const elsewhere = new Map<string, number>();
    for (const [backend, total] of answer.totals) {
      const count = total - (counts.get(backend) ?? 0);
      if (count > 0) elsewhere.set(backend, boundedCount(count, MOST_SESSIONS_ELSEWHERE));
    }
    const { version, unseen, others, ageMs, isTelling } = answer;
    this.#heard = { version, elsewhere, unseen, others, ageMs, isTelling, atMs: nowMs };
    this.#tell(elsewhere, unseen);
    return true;
  }

  /** Another instance's counts have changed a little. */
  apply({ version, instance, deltas }: Change, self: string): void {
    const heard = this.#heard;
    if (heard === undefined || this.#missedChange || version <= heard.version) return;
    if (version !== heard.version + 1) {
      this.#missedChange = true;
      return;
    }
    this.#heard = { ...heard, version };
    // This instance's own changes are known already.
    if (instance === self) return;
    for (const [backend, delta] of deltas) {
      const count = (heard.elsewhere.get(backend) ?? 0) + delta;
      heard.elsewhere.set(backend, boundedCount(count, MOST_SESSIONS_ELSEWHERE));
    }
    this.#tell(heard.elsewhere, this.#unseenInForce);
  }

  /** From now on the counts of other instances are 0. */
  forget(): void {
    if (this.#heard === undefined) return;
    this.#heard = undefined;
    this.#tell(new Map(), 0);
  }

  /**
   * To be called several times per period: follows the sessions that the others cannot know of, and forgets what is too
   * old. True when an extra exchange would give the others something useful.
   */
  look(nowMs: number): boolean {
    const { periodMs } = this.#settings;
    const passedMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    const backlog = (this.upstream.placed() - this.#placedThen) | 0;
    this.#backlog += (backlog - this.#backlog) * (1 - Math.exp(-passedMs / (AVERAGED_PERIODS * periodMs)));
    this.#extra = Math.min(this.#extra + passedMs / periodMs, EXTRA_EXCHANGES);
    const heard = this.#heard;
    if (heard === undefined) return false;
    if (nowMs - heard.atMs > inPeriods(BELIEVED, periodMs)) {
      this.forget();
      return false;
    }
    this.#expectLikewise(backlog, heard);
    return this.#extra >= 1 && heard.isTelling && this.#helpsToTell();
  }

  /** An extra exchange was made. */
  noteExtra(): void {
    this.#extra -= 1;
  }

  /** A burst of sessions here is likely to meet the other instances in the same moment. */
  #expectLikewise(backlog: number, { elsewhere, others }: Heard): void {
    const likely = backlog * others.length;
    // Not for each further session: all pickers work with the new value.
    if (likely > 1.5 * this.#unseenInForce && likely >= 1) this.#tell(elsewhere, likely);
  }

  /** With more unseen sessions than backends, a single session does not change what others pick. */
  #helpsToTell(): boolean {
    if (this.#unseenInForce > this.#backends) return false;
    return this.upstream.placed() !== this.#placedThen || this.upstream.sessions() !== this.#sessionsThen;
  }

  #tell(elsewhere: ReadonlyMap<string, number>, unseen: number): void {
    this.#unseenInForce = unseen;
    this.upstream.hear(elsewhere, unseen);
  }
}

/** `time` in milliseconds; with very short periods no less than a delay that a busy machine or network may cause. */
function inPeriods(time: { readonly periods: number; readonly leastMs: number }, periodMs: number): number {
  return Math.max(time.periods * periodMs, time.leastMs);
}
