/**
 * Least connections (`leastconn`): the candidate with the fewest live sessions per weight; ties at random.
 *
 * Place: built by the picker; `changed` keeps it in step with the live counts, `heard` with the others' counts.
 * Key: live / weight, without the session to be placed, so an idle backend goes before any busy one whatever
 * its weight, and all idle ones are tied. The division is exact enough to compare by: equal fractions round
 * to the same double, and different ones to different doubles while live × weight < 2^52.
 * With counts of other instances the key is the load above the water level (`waterLevel`), then live / weight.
 * Counts that change without `changed` (other threads): the candidate drawn is checked against its live count and
 * put right before it is returned, so a session opened unseen never misleads; one closed unseen would, so each pick
 * also looks at the next SWEEP candidates in turn. So with up to SWEEP candidates every pick is exact, and with n
 * candidates an unseen close is noticed within n / SWEEP picks.
 * Cost: O(1) for a pick and a change, and O(log n) for each level that appears or is set aside (`skip`);
 * O(n log n) for `heard`.
 */
import { at } from './at.ts';
import { LoadLevels, swap } from './load-levels.ts';
import type { Level, Place } from './load-levels.ts';
import { elsewhereOf, waterLevel } from './stale-counts.ts';
import type { Candidate, PickContext, StrategyFactory } from './strategy.ts';

const SWEEP = 4;

/**
 * The factor of a session above the water beside the instance's own: so large that the own sessions break ties only.
 * A power of two, so that multiplying and dividing by it changes no digit.
 */
const OUT = 2 ** 26;

interface Entry {
  readonly candidate: Candidate;
  /** The live count that has put it in its level. */
  live: number;
  /** The others' count that has put it there. */
  elsewhere: number;
}

/** Factory of the strategy `leastconn`. It reads all counts anew, so it takes nothing over from its predecessor. */
export const createLeastConnections: StrategyFactory = (candidates, { random }) => {
  const levels = new LoadLevels<Entry>(candidates.length);
  /** Sessions per weight below which only a candidate's own sessions count. Infinity: nothing is shared. */
  let water = Infinity;
  const places = candidates.map((candidate): Place<Entry> => {
    const entry: Entry = { candidate, live: candidate.live(), elsewhere: 0 };
    const place: Place<Entry> = { value: entry, level: undefined, index: 0 };
    levels.move(place, loadOf(entry, water));
    return place;
  });
  const placeById = new Map(places.map(place => [place.value.candidate.id, place]));
  const perSweep = Math.min(SWEEP, places.length);
  let swept = 0;

  /** Puts a candidate where its live count belongs; false if it was there already. */
  function correct(place: Place<Entry>): boolean {
    const entry = place.value;
    const live = entry.candidate.live();
    if (live === entry.live) return false;
    entry.live = live;
    levels.move(place, loadOf(entry, water));
    return true;
  }

  function sweep(): void {
    for (let i = 0; i < perSweep; i += 1) {
      swept = swept + 1 < places.length ? swept + 1 : 0;
      correct(at(places, swept));
    }
  }

  /** Draws from the lowest level with a candidate that is not skipped. */
  function draw(skip: PickContext['skip']): Place<Entry> | undefined {
    const aside: Level<Entry>[] = [];
    let drawn: Place<Entry> | undefined;
    for (let level = levels.lowest(); level !== undefined; level = levels.lowest()) {
      drawn = drawFrom(level, skip);
      if (drawn !== undefined) break;
      levels.takeLowest();
      aside.push(level);
    }
    for (const full of aside) levels.putBack(full);
    return drawn;
  }

  function drawFrom({ bag }: Level<Entry>, skip: PickContext['skip']): Place<Entry> | undefined {
    for (let open = bag.length; open > 0; open -= 1) {
      const index = open === 1 ? 0 : Math.floor(random() * open);
      const place = at(bag, index);
      if (skip?.(place.value.candidate) !== true) return place;
      // Behind the open ones, where this loop does not draw again.
      swap(bag, index, open - 1);
    }
    return undefined;
  }

  return {
    pick({ skip }) {
      sweep();
      let place = draw(skip);
      // Bounded, so that counts which other threads change all the time cannot hold a pick up for ever.
      for (let corrections = 0; place !== undefined && corrections < places.length; corrections += 1) {
        if (!correct(place)) break;
        place = draw(skip);
      }
      return place?.value.candidate;
    },
    changed({ id }) {
      const place = placeById.get(id);
      if (place !== undefined) correct(place);
    },
    heard(unseen) {
      const estimates = places.map(({ value: entry }) => {
        entry.live = entry.candidate.live();
        entry.elsewhere = elsewhereOf(entry.candidate);
        return { sessions: entry.live + entry.elsewhere, weight: entry.candidate.weight };
      });
      // Without sessions elsewhere the estimates are the own counts, which come in the same order without water.
      const isShared = places.some(({ value }) => value.elsewhere > 0);
      water = isShared ? roundUp(waterLevel(estimates, unseen)) : Infinity;
      for (const place of places) levels.move(place, loadOf(place.value, water));
    },
  };
};

/**
 * The key: sessions per weight above the water, with the own sessions per weight in the digits below.
 * Estimates and `water` × weight are multiples of 1 / OUT below 2^27, so all but the last division is exact:
 * equal loads have equal keys, and without sharing, or under water, the key is that of the own sessions alone.
 * Above the water, two loads that differ by less than 1 / OUT of themselves (the sessions of one × the weight of the
 * other are above OUT then) can come in the order of the own sessions.
 */
function loadOf({ candidate: { weight }, live, elsewhere }: Entry, water: number): number {
  return (Math.max(live + elsewhere - water * weight, 0) * OUT + live) / weight;
}

/** Rounds to a multiple of 1 / OUT: up, so that a load which the water just reaches is not above it by a digit. */
function roundUp(level: number): number {
  return Math.ceil(level * OUT) / OUT;
}
