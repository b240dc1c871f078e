/** Stand-ins for what a strategy is given: candidates, a clock, and randomness that is the same in every run. */
import { seeded } from '../../src/sim/seeded.ts';
import type { Candidate, PickContext, StrategyDeps } from '../../strategies/strategy.ts';

export { seeded };

/** A candidate whose live count the test sets. */
export interface FakeCandidate extends Candidate {
  sessions: number;
}

/** A candidate that holds `sessions` sessions. */
export function fake(id: string, weight = 1, sessions = 0): FakeCandidate {
  return {
    id,
    weight,
    sessions,
    live() {
      return this.sessions;
    },
  };
}

/** A candidate that other instances use, too; the test sets their sessions before it calls `heard`. */
export interface SharedFake extends FakeCandidate {
  others: number;
  elsewhere(): number;
}

/** A candidate with `sessions` of our own and `others` elsewhere. */
export function sharedFake(id: string, weight = 1, sessions = 0, others = 0): SharedFake {
  return {
    ...fake(id, weight, sessions),
    others,
    elsewhere() {
      return this.others;
    },
  };
}

/** One candidate per weight, called b0, b1, ... */
export function fakes(...weights: number[]): FakeCandidate[] {
  return weights.map((weight, index) => fake(`b${String(index)}`, weight));
}

/** `count` candidates of weight 1. */
export function equals(count: number): FakeCandidate[] {
  return fakes(...Array.from({ length: count }, () => 1));
}

/** Replays stated draws and throws on one that was not stated. */
export function draws(...values: number[]): () => number {
  const left = [...values];
  return () => {
    const value = left.shift();
    if (value === undefined) throw new Error('a draw that the test did not state');
    return value;
  };
}

/** Dependencies with a standing clock and seeded randomness, unless others are given. */
export function deps(overrides: Partial<StrategyDeps> = {}): StrategyDeps {
  return { now: () => 0, random: seeded(1), ...overrides };
}

export const anyone: PickContext = { clientAddress: '192.0.2.1' };

/** A client that may not be given to these. */
export function without(...skipped: readonly Candidate[]): PickContext {
  return { ...anyone, skip: candidate => skipped.includes(candidate) };
}

/** An IPv4 address for each index below 2^24. */
export function addressOf(index: number): string {
  return `10.${String((index >> 16) & 255)}.${String((index >> 8) & 255)}.${String(index & 255)}`;
}

/** How often `pick` answers with each id in `count` calls. */
export function tally(count: number, pick: (index: number) => Candidate | undefined): Map<string, number> {
  const picks = new Map<string, number>();
  for (let index = 0; index < count; index += 1) {
    const id = pick(index)?.id ?? 'none';
    picks.set(id, (picks.get(id) ?? 0) + 1);
  }
  return picks;
}

/** Largest relative distance of the tally from the expected shares (which sum to 1). */
export function worstError(picks: Map<string, number>, shares: Record<string, number>): number {
  const total = [...picks.values()].reduce((sum, count) => sum + count, 0);
  const errors = Object.entries(shares).map(([id, share]) =>
    Math.abs((picks.get(id) ?? 0) / (total * share) - 1),
  );
  return Math.max(...errors);
}

/** In how many of `times` rounds a claim does not hold: one assertion, where one per round would take seconds. */
export function failures(times: number, holds: (round: number) => boolean): number {
  let count = 0;
  for (let round = 0; round < times; round += 1) {
    if (!holds(round)) count += 1;
  }
  return count;
}
