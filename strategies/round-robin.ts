/**
 * Smooth weighted round-robin (`roundrobin`): whose next turn is due first among those whose turn has begun.
 *
 * Place: built by the picker; its position survives a rebuild by candidate id.
 * Method: one pick is one unit of time. A candidate with share w/W has a turn every W/w units: turn j may be
 * taken from floor(j·W/w) on and must be by ceil((j+1)·W/w). Earliest deadline first meets all deadlines
 * (the ideal even flow is one schedule that does), so that after k picks a candidate has had floor or ceil of
 * k·w/W turns: never a whole turn off. Plain smooth round-robin and plain deadline order do not keep that.
 * Skips: time leaps to the next turn of a candidate that is not skipped, and one that missed its turn gets
 * one turn at once, not all that it missed. A new candidate begins a turn now: no burst, no starvation.
 * Invariants: turns are counted in integers, so no rounding adds up; keys in the heaps never change.
 * Sources: Tijdeman 1980, "The chairman assignment problem"; Baruah et al. 1996, "Proportionate progress".
 */
import { Heap } from 'heap-js';
import type { Candidate, PickContext, Strategy, StrategyDeps, StrategyFactory } from './strategy.ts';

interface Turn {
  readonly candidate: Candidate;
  /** Position in the ring; decides between equal deadlines. */
  readonly rank: number;
  /** The present turn begins at `base + fraction + count · W/w`; `base` is an integer, `fraction` is in [0, 1). */
  base: number;
  fraction: number;
  count: number;
  /** First time at which the turn may be taken, and the time by which it must be. */
  release: number;
  deadline: number;
}

class RoundRobin implements Strategy {
  readonly #turns = new Map<string, Turn>();
  readonly #totalWeight: number;
  /** Which part of the ring comes first, in [0, 1): many balancers that start together start apart. */
  readonly #start: number;
  /** Turns that have not begun, and turns that have. */
  readonly #waiting = new Heap<Turn>((a, b) => a.release - b.release);
  readonly #begun = new Heap<Turn>((a, b) => a.deadline - b.deadline || a.rank - b.rank);
  #now = 0;

  constructor(candidates: readonly Candidate[], { random }: StrategyDeps, previous?: Strategy) {
    const before = previous instanceof RoundRobin ? previous : undefined;
    const length = candidates.length;
    this.#totalWeight = candidates.reduce((sum, { weight }) => sum + weight, 0);
    this.#start = before === undefined ? random() : before.#start;
    const first = Math.floor(this.#start * length);

    candidates.forEach((candidate, index) => {
      const rank = (index - first + length) % length;
      const turn = { candidate, rank, base: 0, fraction: 0, count: 0, release: 0, deadline: 0 };
      if (before !== undefined) this.#carry(turn, before);
      this.#setWindow(turn);
      this.#turns.set(candidate.id, turn);
      this.#waiting.push(turn);
    });
  }

  pick({ skip }: PickContext): Candidate | undefined {
    let now = this.#now;
    let chosen: Turn | undefined;
    const skipped: Turn[] = [];
    for (;;) {
      this.#begin(now);
      const turn = this.#begun.pop();
      if (turn === undefined) {
        const next = this.#waiting.peek();
        if (next === undefined) break;
        now = next.release;
      } else if (skip?.(turn.candidate) === true) {
        skipped.push(turn);
      } else {
        chosen = turn;
        break;
      }
    }
    for (const turn of skipped) this.#waiting.push(turn);
    if (chosen === undefined) return undefined;

    this.#advance(chosen, now);
    this.#now = now + 1;
    return chosen.candidate;
  }

  #begin(now: number): void {
    for (
      let turn = this.#waiting.peek();
      turn !== undefined && turn.release <= now;
      turn = this.#waiting.peek()
    ) {
      this.#waiting.pop();
      this.#begun.push(turn);
    }
  }

  #advance(turn: Turn, now: number): void {
    turn.count += 1;
    if (turn.deadline <= now) {
      // Late: it had been skipped, or the weights have changed. What was missed is forgiven, the next turn begins now.
      turn.base = now;
      turn.fraction = 0;
      turn.count = 0;
    } else if (turn.count === turn.candidate.weight) {
      turn.base += this.#totalWeight;
      turn.count = 0;
    }
    this.#setWindow(turn);
    this.#waiting.push(turn);
  }

  #setWindow(turn: Turn): void {
    const { base, fraction, count, candidate } = turn;
    turn.release = base + Math.floor(fraction + (count * this.#totalWeight) / candidate.weight);
    turn.deadline = base + Math.ceil(fraction + ((count + 1) * this.#totalWeight) / candidate.weight);
  }

  /** Takes over how far a turn had come: exactly if nothing has changed, else in proportion to its length. */
  #carry(turn: Turn, before: RoundRobin): void {
    const old = before.#turns.get(turn.candidate.id);
    if (old === undefined) return;
    const { weight } = turn.candidate;
    const sinceNow = old.base - before.#now;
    if (weight === old.candidate.weight && this.#totalWeight === before.#totalWeight) {
      turn.base = sinceNow;
      turn.fraction = old.fraction;
      turn.count = old.count;
      return;
    }
    const begin = sinceNow + old.fraction + (old.count * before.#totalWeight) / old.candidate.weight;
    const scaled = begin * (old.candidate.weight / before.#totalWeight) * (this.#totalWeight / weight);
    turn.base = Math.floor(scaled);
    turn.fraction = scaled - turn.base;
  }
}

/** Factory of the strategy `roundrobin`. */
export const createRoundRobin: StrategyFactory = (candidates, deps, previous) =>
  new RoundRobin(candidates, deps, previous);
