/**
 * How tightly turns can be bound: the windows within which `roundrobin` gives each candidate its turns.
 *
 * Place: pure; round-robin.ts takes the bound once per set of weights. Weights have no common factor here.
 * Windows: with the bound b, turn j of a candidate with share w/W may be taken by the pick number k from k·w/W − j ≥
 * 1 − b/W on, and must be before k·w/W − j passes b/W. Earliest deadline first meets all deadlines if any order does.
 * The least b for which it does is the distance from their shares that candidates reach at worst in every order.
 * Tijdeman: b = W·(1 − 1/(2n−2)) always works. A lower one is searched for where the search is cheap.
 * Sources: Tijdeman 1980, "The chairman assignment problem"; Steiner and Yeomans 1993, "Level schedules for
 * mixed-model, just-in-time processes".
 */

import { at } from './at.ts';

/** Steps of a trial run, at most: weights × their sum. A search takes some ten runs, at 1 to 2 ns a step. */
const MOST_STEPS = 8192;

/** From which moment, counted in picks, the turn number `count` may be taken. */
export function releaseOf(count: number, weight: number, total: number, bound: number): number {
  return (count * total + total - bound) / weight - 1;
}

/** By which moment it must be taken. */
export function deadlineOf(count: number, weight: number, total: number, bound: number): number {
  return (count * total + bound) / weight + 1;
}

/** The lowest bound that is known to work, in parts of a turn of which there are `total`; below `total`. */
export function tightestBound(weights: readonly number[], total: number): number {
  const length = weights.length;
  if (length < 2) return 0;
  let works = Math.min(total - 1, Math.ceil(total - total / (2 * length - 2)));
  // Equal turns come in the same order whatever the bound.
  if (length * total > MOST_STEPS || total === length) return works;
  let fails = -1;
  while (works - fails > 1) {
    const middle = Math.floor((works + fails) / 2);
    if (isEnough(weights, total, middle)) works = middle;
    else fails = middle;
  }
  return works;
}

/** Whether earliest deadline first meets all deadlines of one round. */
function isEnough(weights: readonly number[], total: number, bound: number): boolean {
  const counts = weights.map(() => 0);
  const releases = weights.map(weight => Math.ceil(releaseOf(0, weight, total, bound)));
  const deadlines = weights.map(weight => Math.floor(deadlineOf(0, weight, total, bound)));
  for (let now = 0; now < total; now += 1) {
    let best = -1;
    let earliest = Infinity;
    for (let i = 0; i < weights.length; i += 1) {
      const deadline = at(deadlines, i);
      if (deadline >= earliest || at(releases, i) > now) continue;
      best = i;
      earliest = deadline;
    }
    if (earliest <= now || best === -1) return false;
    const weight = at(weights, best);
    const count = at(counts, best) + 1;
    counts[best] = count;
    releases[best] = Math.ceil(releaseOf(count, weight, total, bound));
    deadlines[best] = Math.floor(deadlineOf(count, weight, total, bound));
  }
  return true;
}
