/**
 * Entries grouped by load, the lowest load first: a heap-js min-heap of levels, each a bag of equal entries.
 *
 * Place: the data structure under `least-connections.ts`.
 * Why the heap has levels and not entries:
 * (1) heap-js has no decrease-key, and its `remove` misses elements whose key has changed; here an entry moves between
 * two bags in O(1) and no key in the heap ever changes;
 * (2) all entries of a level are equal, so that a tie is broken by one draw from the bag, evenly and
 * independently of the past, which no order inside a heap can do.
 * Invariants:
 * - a level is in `#levels` exactly if it is in the heap or taken;
 * - the size is bounded: an empty level is dropped when it comes to the top, and all empty ones when the heap has grown
 *   beyond 2n + 64.
 */
import { Heap } from 'heap-js';
import { at } from './at.ts';

/** Where an entry is. The owner makes this record; only this structure writes it. */
export interface Place<T> {
  readonly value: T;
  level: Level<T> | undefined;
  /** Index in the level's bag. */
  index: number;
}

export interface Level<T> {
  readonly load: number;
  readonly bag: Place<T>[];
}

export class LoadLevels<T> {
  readonly #heap = new Heap<Level<T>>((a, b) => a.load - b.load);
  readonly #levels = new Map<number, Level<T>>();
  readonly #sizeLimit: number;

  /** @param size how many entries there will be */
  constructor(size: number) {
    this.#sizeLimit = 2 * size + 64;
  }

  /** Levels held, empty ones included. */
  get size(): number {
    return this.#heap.length;
  }

  /** Puts an entry where `load` belongs, and takes it from where it was; leaves it alone if it is there already. */
  move(place: Place<T>, load: number): void {
    if (place.level !== undefined) {
      if (place.level.load === load) return;
      const { bag } = place.level;
      swap(bag, place.index, bag.length - 1);
      bag.pop();
    }
    const level = this.#levels.get(load) ?? this.#add(load);
    place.level = level;
    place.index = level.bag.push(place) - 1;
  }

  /** The level with the lowest load that has entries. */
  lowest(): Level<T> | undefined {
    let level = this.#heap.peek();
    while (level?.bag.length === 0) {
      this.#heap.pop();
      this.#levels.delete(level.load);
      level = this.#heap.peek();
    }
    return level;
  }

  /** Sets the lowest level aside, so that the next one shows; to be put back before anything moves. */
  takeLowest(): void {
    this.#heap.pop();
  }

  putBack(level: Level<T>): void {
    this.#heap.push(level);
  }

  #add(load: number): Level<T> {
    const level: Level<T> = { load, bag: [] };
    this.#levels.set(load, level);
    this.#heap.push(level);
    if (this.#heap.length > this.#sizeLimit) this.#dropEmpty(level);
    return level;
  }

  #dropEmpty(keep: Level<T>): void {
    for (const level of this.#levels.values()) {
      if (level.bag.length === 0 && level !== keep) this.#levels.delete(level.load);
    }
    this.#heap.init([...this.#levels.values()]);
  }
}

/** Swaps two entries of a bag. */
export function swap<T>(bag: Place<T>[], a: number, b: number): void {
  const placeA = at(bag, a);
  const placeB = at(bag, b);
  bag[a] = placeB;
  placeB.index = a;
  bag[b] = placeA;
  placeA.index = b;
}
