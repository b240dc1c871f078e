/** Looks through the memory of a sticky table: is every link where it belongs? */
import assert from 'node:assert/strict';
import { STICKY_LAYOUT, type StickyMemory } from '../../../src/shared-memory/sticky-table.ts';

const { lock, size, touched, free, newest, oldest, chains, entry } = STICKY_LAYOUT;
const [CHAIN, NEWER, OLDER] = [6, 7, 8];

/** Throws where the structure is broken; returns the slots, most recently used first. */
export function checkStructure({ buffer, max }: StickyMemory): number[] {
  const words = new Int32Array(buffer);
  const get = (at: number): number => words[at] ?? assert.fail(`outside: ${at}`);
  const firstEntry = words.length - max * entry;
  const follow = (from: number, link: number): number[] => {
    const seen: number[] = [];
    for (let at = from; at !== 0; at = get(at + link)) {
      assert.equal((at - firstEntry) % entry, 0, 'an entry begins there');
      assert.ok(seen.length < max, 'no ring');
      seen.push(at);
    }
    return seen;
  };
  const byUse = follow(get(newest), OLDER);
  assert.equal(get(lock), 0);
  assert.equal(byUse.length, get(size));
  assert.ok(byUse.length <= max);
  assert.deepEqual(follow(get(oldest), NEWER), byUse.toReversed(), 'the same in both directions');
  const chained = Array.from({ length: firstEntry - chains }, (_, i) =>
    follow(get(chains + i), CHAIN),
  ).flat();
  assert.deepEqual(chained.toSorted(), byUse.toSorted(), 'each in one chain');
  const unused = follow(get(free), CHAIN);
  assert.equal(new Set([...byUse, ...unused]).size, get(touched), 'used or free');
  const addresses = byUse.map(at => words.subarray(at, at + 4).join());
  assert.equal(new Set(addresses).size, byUse.length, 'each address once');
  return byUse.map(at => get(at + 4));
}
