/**
 * One upstream's side of the mirror: what is published when, what the others' publications mean, and how long they
 * are believed. No clock, no timer, no Redis of its own.
 *
 * Place: `mirror.ts` asks it at its times and carries its publications to Redis and back; the simulation in test/sim
 * runs this same code. Invariants: what was heard is whole or nothing; nothing older than `BELIEVED` counts;
 * an instance's own sessions never count twice.
 */
import { boundedCount, MOST_SESSIONS_ELSEWHERE } from '../../support/bounded-count.ts';
import type { Change, Publication, Totals } from './exchange.ts';

/** An instance that says nothing for so long has gone: everybody has heard of it within three periods. */
const LEASE = { periods: 2, leastMs: 200 };
/** Older news is forgotten. */
const BELIEVED = { periods: 3, leastMs: 300 };
/** Over how many periods the sessions are averaged that others cannot know of yet. */
const AVERAGED_PERIODS = 4;
/** Exchanges besides the regular ones: one per period, and so many at once when there were none for a while. */
const EXTRA_EXCHANGES = 4;

/** What the mirror needs of an upstream in this instance. */
export interface MirroredUpstream {
  readonly name: string;
  /** Tells the live sessions of this instance by backend address, idle backends included. */
  visit(each: (backend: string, sessions: number) => void): void;
  /** Their sum. */
  sessions(): number;
  /** Sessions this instance has placed: a 32-bit counter that wraps around. */
  placed(): number;
  /**
   * Takes over what others hold; backends that are not named are 0.
   * @param unseen how many sessions the others may have placed that `elsewhere` does not know of
   */
  hear(elsewhere: ReadonlyMap<string, number>, unseen: number): void;
}

export interface UpstreamMirrorSettings {
  readonly periodMs: number;
  /** Tells this process from others; random. */
  readonly owner: string;
}

/** What one knows of the others. */
interface Heard {
  readonly version: number;
  readonly elsewhere: Map<string, number>;
  /** As the others say. */
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
  /** As of the last publication. */
  #backends = 0;
  #placedThen: number;
  #sessionsThen = 0;
  #heard: Heard | undefined;
  /** The `unseen` that the pickers go by. */
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

  /** The other instances, and how old what is known of them is; undefined: nothing is. */
  heard(nowMs: number): { readonly others: readonly string[]; readonly ageMs: number } | undefined {
    if (this.#heard === undefined) return undefined;
    const { others, ageMs, atMs } = this.#heard;
    return { others, ageMs: ageMs + nowMs - atMs };
  }

  /** Small changes are told at once, as far as is known. */
  get isTelling(): boolean {
    return this.#heard?.isTelling ?? true;
  }

  /** What is to be published now. */
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
      // Just before an exchange it is twice the average, and whoever reads is as late once more on average.
      unseen: 2 * this.#backlog,
    };
  }

  /** What takes this instance's counts out. */
  withdrawal(instance: string): Pick<Publication, 'upstream' | 'instance' | 'owner' | 'number'> {
    this.#number += 1;
    return { upstream: this.upstream.name, instance, owner: this.#settings.owner, number: this.#number };
  }

  /**
   * Takes over the answer to a publication. False when it is not to be believed: after an outage the others may not
   * be back yet, and what was known before is worth more.
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
    // One's own are known already.
    if (instance === self) return;
    for (const [backend, delta] of deltas) {
      const count = (heard.elsewhere.get(backend) ?? 0) + delta;
      heard.elsewhere.set(backend, boundedCount(count, MOST_SESSIONS_ELSEWHERE));
    }
    this.#tell(heard.elsewhere, this.#unseenInForce);
  }

  /** From now on the others count nothing. */
  forget(): void {
    if (this.#heard === undefined) return;
    this.#heard = undefined;
    this.#tell(new Map(), 0);
  }

  /**
   * To be called several times per period: follows what the others cannot know of, and forgets what is too old.
   * True when an exchange before its time would tell them something that helps.
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

  /** An exchange before its time was made. */
  noteExtra(): void {
    this.#extra -= 1;
  }

  /** What happens here all at once, a burst, is likely to happen to the others in the same moment. */
  #expectLikewise(backlog: number, { elsewhere, others }: Heard): void {
    const likely = backlog * others.length;
    // Not at each session more: every picker follows.
    if (likely > 1.5 * this.#unseenInForce && likely >= 1) this.#tell(elsewhere, likely);
  }

  /** With more sessions under way than there are backends, nobody goes by single ones. */
  #helpsToTell(): boolean {
    if (this.#unseenInForce > this.#backends) return false;
    return this.upstream.placed() !== this.#placedThen || this.upstream.sessions() !== this.#sessionsThen;
  }

  #tell(elsewhere: ReadonlyMap<string, number>, unseen: number): void {
    this.#unseenInForce = unseen;
    this.upstream.hear(elsewhere, unseen);
  }
}

/** So many periods; with very short ones no less than what a busy machine or network may take. */
function inPeriods(time: { readonly periods: number; readonly leastMs: number }, periodMs: number): number {
  return Math.max(time.periods * periodMs, time.leastMs);
}
