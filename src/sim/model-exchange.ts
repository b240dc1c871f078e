/**
 * What instances share, as a plain model behind the contract of `src/mirror/exchange.ts`, with a delay on the way
 * there, back, and on each change.
 *
 * Place: stands in for Redis in the simulation; the tests' model, which the contract suite of exchanges holds to what Redis
 * does, gives the same figures to the third digit, but sums everything up each time, and takes twice as long.
 * Invariants: a publication, its sums and its answer are one step; a lease that has ended counts nothing from then on;
 * messages to one instance arrive in the order of sending.
 */
import type { Change, Exchange, NameTaken, Publication, Totals } from '../mirror/exchange.ts';
import { MOST_CHANGES_TOLD } from '../mirror/exchange-script.ts';
import { TellingPace } from './telling-pace.ts';
import type { EventClock } from './event-clock.ts';

interface Published {
  readonly publication: Publication;
  readonly atMs: number;
}

/** One Redis, for one upstream. */
export class ModelRedis {
  readonly #clock: EventClock;
  readonly #delayMs: number;
  readonly #published = new Map<string, Published>();
  readonly #connections = new Set<(change: Change) => void>();
  readonly #pace = new TellingPace();
  #totals = new Map<string, number>();
  #version = 0;

  /** @param delayMs one way */
  constructor(clock: EventClock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  connect(): Exchange {
    let listener: (change: Change) => void = () => undefined;
    const receive = (change: Change): void => listener(change);
    this.#connections.add(receive);
    return {
      exchange: async publication => {
        await this.#clock.pass(this.#delayMs);
        const answer = this.#exchange(publication);
        await this.#clock.pass(this.#delayMs);
        return answer;
      },
      withdraw: async ({ instance }) => {
        await this.#clock.pass(this.#delayMs);
        const deltas = new Map<string, number>();
        const withdrawn = this.#published.get(instance)?.publication;
        if (withdrawn !== undefined) count(deltas, withdrawn, -1);
        this.#published.delete(instance);
        this.#add(deltas);
      },
      onChange: told => {
        listener = told;
      },
      onReady: () => undefined,
      close: () => this.#connections.delete(receive),
    };
  }

  #exchange(publication: Publication): Totals | NameTaken {
    const { instance, owner, upstream } = publication;
    const now = this.#clock.now();
    const deltas = new Map<string, number>();
    for (const [name, { publication: old, atMs }] of this.#published) {
      if (atMs + old.leaseMs > now) continue;
      this.#published.delete(name);
      count(deltas, old, -1);
    }
    const isRebuilt = deltas.size > 0;
    const before = this.#published.get(instance)?.publication;
    if (before !== undefined && before.owner !== owner) return { kind: 'nameTaken' };
    this.#published.set(instance, { publication, atMs: now });
    if (before !== undefined) count(deltas, before, -1);
    count(deltas, publication, 1);
    this.#add(deltas);
    const isTelling = this.#pace.isTelling(this.#published.size, now);
    if (deltas.size > 0 && !isRebuilt) {
      this.#pace.noteChange(now);
      if (isTelling && deltas.size <= MOST_CHANGES_TOLD) {
        this.#tell({ upstream, instance, version: this.#version, deltas });
      }
    }
    const others = [...this.#published.values()].filter(other => other.publication !== publication);
    return {
      kind: 'totals',
      version: this.#version,
      wasUnknown: before === undefined,
      totals: this.#totals,
      unseen: others.reduce((sum, other) => sum + other.publication.unseen, 0),
      others: others.map(({ publication: { instance } }) => instance),
      ageMs: others.reduce((age, { atMs }) => Math.max(age, now - atMs), 0),
      isTelling,
    };
  }

  /** The totals that were answered before stay as they are. */
  #add(deltas: ReadonlyMap<string, number>): void {
    if (deltas.size === 0) return;
    this.#version += 1;
    this.#totals = new Map(this.#totals);
    for (const [backend, delta] of deltas) {
      this.#totals.set(backend, (this.#totals.get(backend) ?? 0) + delta);
    }
  }

  #tell(change: Change): void {
    this.#clock.setTimer(() => {
      for (const receive of this.#connections) receive(change);
    }, this.#delayMs);
  }
}

/** Adds a publication's counts, or takes them off again. */
function count(deltas: Map<string, number>, { counts }: Publication, sign: 1 | -1): void {
  for (const [backend, sessions] of counts) {
    if (sessions === 0) continue;
    const delta = (deltas.get(backend) ?? 0) + sign * sessions;
    if (delta === 0) deltas.delete(backend);
    else deltas.set(backend, delta);
  }
}
