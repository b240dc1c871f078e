/**
 * Least connections (`leastconn`): the candidate with the fewest live sessions per weight; ties at random.
 *
 * Place: built by the picker; `changed` keeps it in step with the live counts.
 * Key: live / weight, without the session to be placed, so an idle backend goes before any busy one whatever
 * its weight, and all idle ones are tied. The division is exact enough to compare by: equal fractions round
 * to the same double, and different ones to different doubles while live × weight < 2^52.
 * Counts that change without `changed` (other threads): what is drawn is checked against its live count and
 * put right before it is returned, so unseen opens never mislead; unseen closes would, so each pick also
 * looks at the next SWEEP candidates in turn. With up to SWEEP candidates every pick is exact therefore, with
 * n an unseen close is noticed within n / SWEEP picks.
 * Cost: O(1) for a pick and a change, and O(log n) for each level that appears or is set aside (`skip`).
 */
import { at } from './at.ts';
import { LoadLevels, swap } from './load-levels.ts';
import type { Level, Place } from './load-levels.ts';
import type { Candidate, PickContext, StrategyFactory } from './strategy.ts';

const SWEEP = 4;

interface Entry {
  readonly candidate: Candidate;
  /** The count by which it stands in its level. */
  live: number;
}

/** Factory of the strategy `leastconn`. It reads the live counts anew, so it takes nothing over. */
export const createLeastConnections: StrategyFactory = (candidates, { random }) => {
  const levels = new LoadLevels<Entry>(candidates.length);
  const places = candidates.map((candidate): Place<Entry> => {
    const live = candidate.live();
    const place: Place<Entry> = { value: { candidate, live }, level: undefined, index: 0 };
    levels.move(place, live / candidate.weight);
    return place;
  });
  const placeById = new Map(places.map(place => [place.value.candidate.id, place]));
  const perSweep = Math.min(SWEEP, places.length);
  let swept = 0;

  /** Puts a candidate where its live count belongs; false if it stood there already. */
  function correct(place: Place<Entry>): boolean {
    const entry = place.value;
    const live = entry.candidate.live();
    if (live === entry.live) return false;
    entry.live = live;
    levels.move(place, live / entry.candidate.weight);
    return true;
  }

  function sweep(): void {
    for (let i = 0; i < perSweep; i += 1) {
      swept = swept + 1 < places.length ? swept + 1 : 0;
      correct(at(places, swept));
    }
  }

  /** Draws from the lowest level that has a candidate which is not skipped. */
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
  };
};
