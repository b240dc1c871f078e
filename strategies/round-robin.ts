/**
 * Smooth weighted round-robin (`roundrobin`): of the candidates whose turn has begun, the one whose turn is due first.
 *
 * Place: built by the picker. The turns are kept in `Turns`, which outlive this object: all threads that share them
 * take turns together, in the very order that one thread alone would give.
 * Method: one pick is one unit of time. A candidate with share w/W has a turn every W/w units, with a window in which
 * it may be taken (turn-windows.ts). Earliest deadline first meets all deadlines, so after any k picks a candidate has
 * had floor or ceil of k·w/W turns. Of equal deadlines the lighter candidate's goes first: it is farther behind.
 * Skips and changes: where no window is open, the turn goes to the earliest deadline of those that are behind their
 * share; where none of those is left, time leaps to the next turn of a candidate that is not skipped. A candidate that
 * missed turns gets one at once, not all of them. A new candidate begins a turn now: no burst, no starvation.
 * Cost: O(n), two nanoseconds for each candidate: up to some forty candidates that is less than a heap costs.
 * Invariants:
 * - turns are counted in integers, so no rounding adds up;
 * - the weights of the shared record count, not those that this thread knows: another may know of a change before.
 */
import { at, indexAt, numberAt } from './at.ts';
import type { Candidate, PickContext, Strategy, StrategyDeps, StrategyFactory } from './strategy.ts';
import { deadlineOf, releaseOf, tightestBound } from './turn-windows.ts';
import { LocalTurns, NOW, START, type Turns } from './turns.ts';

/** How many of its missed turns a candidate is still owed after its next one, at most, unless its bound is higher. */
const MOST_OWED = 0.5;
/** Only a candidate that was away is farther than this from its share, in turns. */
const LONG_AWAY = 2;
/** A smaller difference is a rounding error. */
const TINY = 1e-9;

/** A candidate with its share, all weights divided by their greatest common divisor. */
interface Seat {
  readonly candidate: Candidate;
  readonly weight: number;
  /** Where its record begins. */
  readonly place: number;
}

class RoundRobin implements Strategy {
  readonly #turns: Turns;
  /** In the order of the candidates. */
  readonly #seats: readonly Seat[];
  /** In the order in which equal deadlines are served, and where the records of each stand. */
  readonly #order: readonly Candidate[];
  readonly #places: Int32Array;

  constructor(candidates: readonly Candidate[], { random, turns }: StrategyDeps, previous?: Strategy) {
    const before = previous instanceof RoundRobin ? previous : undefined;
    this.#turns = turns ?? new LocalTurns(candidates, before?.localTurns);
    const divisor = candidates.reduce((sum, { weight }) => greatestCommonDivisor(sum, weight), 0);
    this.#seats = candidates.map((candidate, index) => ({
      candidate,
      weight: candidate.weight / divisor,
      place: this.#turns.placeOf(candidate, index),
    }));
    const { head } = this.#turns;
    const start = random();
    const isBegun = numberAt(head, START) > 0;
    if (!isBegun || before === undefined || !hasSameSeats(this.#seats, before.#seats)) this.#adopt(start);
    const first = Math.floor((numberAt(head, START) - 1) * candidates.length);
    const order = [...this.#seats.slice(first), ...this.#seats.slice(0, first)];
    order.sort((a, b) => a.weight - b.weight);
    this.#order = order.map(({ candidate }) => candidate);
    this.#places = Int32Array.from(order, ({ place }) => place);
  }

  /** The turns that a strategy which replaces this one goes on with, where nothing is shared. */
  get localTurns(): LocalTurns | undefined {
    return this.#turns instanceof LocalTurns ? this.#turns : undefined;
  }

  pick({ skip }: PickContext): Candidate | undefined {
    const { head } = this.#turns;
    this.#turns.enter();
    try {
      let now = numberAt(head, NOW);
      let due = this.#due(now, skip);
      if (due === -1) {
        // A candidate is or was skipped, or the weights have changed.
        now = Math.max(now, Math.floor(this.#firstBegin(skip)));
        due = this.#dueOfBegun(now, skip);
        if (due === -1) return undefined;
      }
      this.#advance(indexAt(this.#places, due), now);
      head[NOW] = now + 1;
      return this.#order[due];
    } finally {
      this.#turns.leave();
    }
  }

  /** Of the candidates whose window is open, the one with the earliest deadline; its index in the order, or -1. */
  #due(now: number, skip: PickContext['skip']): number {
    const { release, deadline } = this.#turns.records;
    const places = this.#places;
    let due = -1;
    let earliest = Infinity;
    for (let i = 0; i < places.length; i += 1) {
      const place = indexAt(places, i);
      if (numberAt(release, place) > now) continue;
      const by = numberAt(deadline, place);
      if (by >= earliest || skip?.(at(this.#order, i)) === true) continue;
      due = i;
      earliest = by;
    }
    return due;
  }

  /** When the first turn begins of the candidates that are not skipped; Infinity when all are skipped. */
  #firstBegin(skip: PickContext['skip']): number {
    let first = Infinity;
    this.#order.forEach((candidate, i) => {
      const begin = this.#beginOf(indexAt(this.#places, i));
      if (begin < first && skip?.(candidate) !== true) first = begin;
    });
    return first;
  }

  /** As `#due`, for those whose turn has begun, whether the window is open or not. */
  #dueOfBegun(now: number, skip: PickContext['skip']): number {
    const { deadline } = this.#turns.records;
    let due = -1;
    let earliest = Infinity;
    this.#order.forEach((candidate, i) => {
      const place = indexAt(this.#places, i);
      const by = numberAt(deadline, place);
      if (this.#beginOf(place) >= now + 1 || by >= earliest || skip?.(candidate) === true) return;
      due = i;
      earliest = by;
    });
    return due;
  }

  #advance(place: number, now: number): void {
    const { base, count, weight, total, bound } = this.#turns.records;
    const turns = numberAt(count, place) + 1;
    const isRound = turns >= numberAt(weight, place);
    count[place] = isRound ? 0 : turns;
    if (isRound) base[place] = numberAt(base, place) + numberAt(total, place);
    // It was skipped, or the weights have changed: turns that it missed are forgiven, beyond MOST_OWED or its bound.
    const owed = Math.max(MOST_OWED * numberAt(total, place), numberAt(bound, place));
    const latest = now + 1 - owed / numberAt(weight, place);
    if (this.#beginOf(place) < latest) this.#begin(place, latest);
    this.#setWindow(place);
  }

  #beginOf(place: number): number {
    const { base, fraction, count, weight, total } = this.#turns.records;
    const turn = numberAt(total, place) / numberAt(weight, place);
    return numberAt(base, place) + numberAt(fraction, place) + numberAt(count, place) * turn;
  }

  /** How many turns a candidate is behind its share; NaN for one that is new, or was away for long. */
  #owed(place: number, now: number): number {
    const { weight, total } = this.#turns.records;
    const turns = ((now - this.#beginOf(place)) * numberAt(weight, place)) / numberAt(total, place);
    return Math.abs(turns) < LONG_AWAY ? turns : NaN;
  }

  #begin(place: number, when: number): void {
    const { base, fraction, count } = this.#turns.records;
    base[place] = Math.floor(when);
    fraction[place] = when - Math.floor(when);
    count[place] = 0;
  }

  #setWindow(place: number): void {
    const { records } = this.#turns;
    const base = numberAt(records.base, place);
    const fraction = numberAt(records.fraction, place);
    const count = numberAt(records.count, place);
    const weight = numberAt(records.weight, place);
    const total = numberAt(records.total, place);
    const bound = numberAt(records.bound, place);
    records.release[place] = base + Math.ceil(fraction + releaseOf(count, weight, total, bound));
    records.deadline[place] = base + Math.floor(fraction + deadlineOf(count, weight, total, bound));
  }

  /**
   * Adapts the records to these candidates, unless another thread has done so: turns go on in proportion to their
   * length. `start` counts if no thread has started yet, so that many balancers that start together start apart.
   */
  #adopt(start: number): void {
    const { head, records } = this.#turns;
    const weights = this.#seats.map(({ weight }) => weight);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const bound = tightestBound(weights, total);
    this.#turns.enter();
    const now = numberAt(head, NOW);
    if (numberAt(head, START) === 0) head[START] = 1 + start;
    const owed = this.#seats.map(({ place }) => this.#owed(place, now));
    // The turns that candidates which have left were owed, or had too much, are shared among all.
    const surplus = owed.reduce((sum, turns) => sum + (turns || 0), 0);
    this.#seats.forEach(({ place, weight }, i) => {
      const turns = at(owed, i);
      const isSame = records.weight[place] === weight && records.total[place] === total;
      // New candidates begin a turn now.
      if (!isSame || Number.isNaN(turns) || Math.abs(surplus) > TINY) {
        this.#begin(place, now + surplus - ((turns || 0) * total) / weight);
      }
      records.weight[place] = weight;
      records.total[place] = total;
      records.bound[place] = bound;
      this.#setWindow(place);
    });
    this.#turns.leave();
  }
}

function hasSameSeats(one: readonly Seat[], other: readonly Seat[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ candidate: { id }, weight }, i) => {
      const seat = at(other, i);
      return seat.weight === weight && seat.candidate.id === id;
    })
  );
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** Factory of the strategy `roundrobin`. */
export const createRoundRobin: StrategyFactory = (candidates, deps, previous) =>
  new RoundRobin(candidates, deps, previous);
