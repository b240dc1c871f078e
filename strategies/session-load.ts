/**
 * The load by which `leastconn` compares: live sessions per weight, with late counts of other instances above a level.
 *
 * Place: shared by the two ways to find the least of few candidates and of many.
 * Key: live / weight, without the session to be placed, so an idle backend goes before any busy one whatever
 * its weight, and all idle ones are tied. The division is exact enough to compare by: equal fractions round
 * to the same double, and different ones to different doubles while live × weight < 2^52.
 * With counts of other instances the key is the load above the water level (`waterLevel`), then live / weight.
 */
import { elsewhereOf, waterLevel } from './stale-counts.ts';
import type { Candidate } from './strategy.ts';

/**
 * The factor of a session above the water beside the instance's own: so large that the own sessions break ties only.
 * A power of two, so that multiplying and dividing by it changes no digit.
 */
const OUT = 2 ** 26;

export interface Entry {
  readonly candidate: Candidate;
  /** The live count that was seen last. */
  live: number;
  /** The others' count that was heard last. */
  elsewhere: number;
}

export function entryOf(candidate: Candidate): Entry {
  return { candidate, live: candidate.live(), elsewhere: 0 };
}

/**
 * The key: sessions per weight above the water, with the own sessions per weight in the digits below.
 * Estimates and `water` × weight are multiples of 1 / OUT below 2^27, so all but the last division is exact:
 * equal loads have equal keys, and without sharing, or under water, the key is that of the own sessions alone.
 * Above the water, two loads that differ by less than 1 / OUT of themselves (the sessions of one × the weight of the
 * other are above OUT then) can come in the order of the own sessions.
 * @param water sessions per weight below which only a candidate's own sessions count; Infinity: nothing is shared
 */
export function loadOf({ candidate: { weight }, live, elsewhere }: Entry, water: number): number {
  return (Math.max(live + elsewhere - water * weight, 0) * OUT + live) / weight;
}

/** Reads all counts anew, the others' too, and returns the water level from then on. */
export function hearAll(entries: readonly Entry[], unseen: number): number {
  const estimates = entries.map(entry => {
    entry.live = entry.candidate.live();
    entry.elsewhere = elsewhereOf(entry.candidate);
    return { sessions: entry.live + entry.elsewhere, weight: entry.candidate.weight };
  });
  // Without sessions elsewhere the estimates are the own counts, which come in the same order without water.
  const isShared = entries.some(({ elsewhere }) => elsewhere > 0);
  return isShared ? roundUp(waterLevel(estimates, unseen)) : Infinity;
}

/** Rounds to a multiple of 1 / OUT: up, so that a load which the water just reaches is not above it by a digit. */
function roundUp(level: number): number {
  return Math.ceil(level * OUT) / OUT;
}
