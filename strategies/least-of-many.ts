/**
 * The least loaded of many candidates, by a heap of load levels.
 *
 * Place: `leastconn` for more candidates than least-of-few.ts looks at one by one; `changed` keeps it in step with the
 * live counts, `heard` with the others' counts.
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
import { entryOf, hearAll, loadOf, type Entry } from './session-load.ts';
import type { Candidate, PickContext, Strategy, StrategyDeps } from './strategy.ts';

const SWEEP = 4;

export function createLeastOfMany(
  candidates: readonly Candidate[],
  { random }: Pick<StrategyDeps, 'random'>,
): Strategy {
  const levels = new LoadLevels<Entry>(candidates.length);
  /** Sessions per weight below which only a candidate's own sessions count. Infinity: nothing is shared. */
  let water = Infinity;
  const places = candidates.map((candidate): Place<Entry> => {
    const place: Place<Entry> = { value: entryOf(candidate), level: undefined, index: 0 };
    levels.move(place, loadOf(place.value, water));
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
      water = hearAll(
        places.map(({ value }) => value),
        unseen,
      );
      for (const place of places) levels.move(place, loadOf(place.value, water));
    },
  };
}
