/**
 * Peak-EWMA (`ewma`): of two weighted draws keep the one with the lower connect time × sessions per weight.
 *
 * Place: built by the picker; `connected` feeds it each connect time; averages survive a rebuild by id. Sessions
 * of other instances count as far as they are believed (`gain`, set in `heard`); until then they do not count.
 * The average is moving (decay 10 s) and cautious: a slower sample replaces it at once, a faster one pulls it
 * down with time only. Unlike Finagle's and linkerd's, a silent backend's average decays not to 0, which
 * floods it until the first answer, but to the group's average: the connect time over all backends.
 * A backend without samples has the group's average too, so a new one competes as a typical one: by sessions alone.
 * Connect times below 1 ms count as 1 ms: below that, differences say more about our own loop than about backends.
 * Sources: Finagle `PeakEwma.scala`, tower `load/peak_ewma.rs`, linkerd2-proxy.
 */
import { elsewhereOf, gain } from './stale-counts.ts';
import type { Candidate, PickContext, Strategy, StrategyDeps, StrategyFactory } from './strategy.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** A sample's weight falls to 1/e after this time. */
const DECAY_MS = 10_000;
const FLOOR_MS = 1;

/** A moving average as of `at`, both in milliseconds. */
interface Average {
  readonly ms: number;
  readonly at: number;
}

class PeakEwma implements Strategy {
  readonly #draw: WeightedDraw;
  readonly #size: number;
  readonly #now: () => number;
  readonly #averages = new Map<string, Average>();
  /** The average connect time over all backends; undefined before the first connect. */
  #group: Average | undefined;
  /** The factor of a session elsewhere beside one of our own. */
  #belief = 0;

  constructor(candidates: readonly Candidate[], { now, random }: StrategyDeps, previous?: Strategy) {
    this.#draw = new WeightedDraw(candidates, random);
    this.#size = candidates.length;
    this.#now = now;
    if (!(previous instanceof PeakEwma)) return;

    this.#group = previous.#group;
    for (const { id } of candidates) {
      const average = previous.#averages.get(id);
      if (average !== undefined) this.#averages.set(id, average);
    }
  }

  pick({ skip }: PickContext): Candidate | undefined {
    const now = this.#now();
    return this.#draw.cheaperOfTwo(candidate => {
      const sessions = candidate.live() + this.#belief * elsewhereOf(candidate);
      return (this.#connectMs(candidate.id, now) * (sessions + 1)) / candidate.weight;
    }, skip);
  }

  heard(unseen: number): void {
    this.#belief = gain(unseen, this.#size);
  }

  connected({ id }: Candidate, connectMs: number): void {
    const now = this.#now();
    const sample = Math.max(connectMs, FLOOR_MS);
    const average = this.#averages.get(id);
    const peak = average === undefined || sample >= this.#connectMs(id, now);
    this.#averages.set(id, { ms: peak ? sample : towards(sample, average, now), at: now });
    const group = this.#group;
    this.#group = { ms: group === undefined ? sample : towards(sample, group, now), at: now };
  }

  #connectMs(id: string, now: number): number {
    const typical = this.#group?.ms ?? FLOOR_MS;
    const average = this.#averages.get(id);
    return average === undefined ? typical : towards(typical, average, now);
  }
}

/** Where `average` is now if it has been decaying towards `target`. */
function towards(target: number, average: Average, now: number): number {
  return target + (average.ms - target) * Math.exp(-Math.max(now - average.at, 0) / DECAY_MS);
}

/** Factory of the strategy `ewma`. */
export const createPeakEwma: StrategyFactory = (candidates, deps, previous) =>
  new PeakEwma(candidates, deps, previous);
