/**
 * The least loaded of a few candidates, found by looking at each.
 *
 * Place: `leastconn` for up to `FEW` candidates; for more there is least-of-many.ts, which has to be told of changes.
 * Why: reading a few counts costs less than keeping a heap in step with each session's begin and end (a tenth, with
 * four), and every pick is exact, whatever other threads have done to the counts.
 * Cost: O(n) for a pick, nothing for a change, O(n log n) for `heard`.
 */
import { at, numberAt } from './at.ts';
import { entryOf, hearAll, loadOf } from './session-load.ts';
import type { Candidate, PickContext, Strategy, StrategyDeps } from './strategy.ts';

/** Looking at this many candidates takes about as long as one change of a heap. */
export const FEW = 8;

export function createLeastOfFew(
  candidates: readonly Candidate[],
  { random }: Pick<StrategyDeps, 'random'>,
): Strategy {
  const entries = candidates.map(entryOf);
  /** Sessions per weight below which only a candidate's own sessions count. Infinity: nothing is shared. */
  let water = Infinity;
  /** The loads of the current pick, kept because counts may change meanwhile. */
  const loads = new Float64Array(entries.length);

  /** Notes the loads; returns the least, and Infinity when all candidates are skipped. */
  function look(skip: PickContext['skip']): number {
    let least = Infinity;
    for (let i = 0; i < entries.length; i += 1) {
      const entry = at(entries, i);
      if (skip?.(entry.candidate) === true) {
        loads[i] = NaN;
        continue;
      }
      entry.live = entry.candidate.live();
      const load = loadOf(entry, water);
      loads[i] = load;
      if (load < least) least = load;
    }
    return least;
  }

  /** Ties are broken by one draw, evenly and independently of the past. */
  function drawFrom(least: number): Candidate | undefined {
    let tied = 0;
    let only = -1;
    for (let i = 0; i < entries.length; i += 1) {
      if (numberAt(loads, i) !== least) continue;
      tied += 1;
      only = i;
    }
    if (tied <= 1) return entries[only]?.candidate;
    let drawn = Math.floor(random() * tied);
    for (let i = 0; i < only; i += 1) {
      if (numberAt(loads, i) !== least) continue;
      if (drawn === 0) return at(entries, i).candidate;
      drawn -= 1;
    }
    return at(entries, only).candidate;
  }

  return {
    pick: ({ skip }) => drawFrom(look(skip)),
    heard(unseen) {
      water = hearAll(entries, unseen);
    },
  };
}
