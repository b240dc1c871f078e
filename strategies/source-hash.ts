/**
 * Source hash (`iphash`): a client's address, or another key of it, decides its backend, the same one in every process
 * and instance.
 *
 * Place: built by the picker; a pure function of candidate ids, weights and the key, so no state to carry.
 * Method: weighted rendezvous hashing. Each candidate draws u in (0, 1) from hash(key, id), and the lowest
 * -ln(u)/weight wins. A candidate's draw does not depend on the other candidates: when one leaves, only its own
 * clients move, to the others in proportion to weight, and return when it does. `skip` finds the next best.
 * With equal weights the order is that of u, so integers are compared. Otherwise the bound -ln(u) ≥ 1-u spares
 * nearly all logarithms. Candidates are in order of id: equal draws go to the same one everywhere.
 * With `balanceFactor` loads are bounded (Mirrokni, Thorup, Zadimoghaddam 2016): a candidate that has its part of
 * factor × all sessions, the new one included, is passed over, and the client gets the next best one. So no candidate
 * has more than factor × the average of its weight, rounded up, and only clients of full candidates are elsewhere.
 * A client without a key (unix socket) gets a weighted random backend.
 * Sources: Thaler, Ravishankar 1998 (rendezvous); Schindelhauer, Schomaker 2005 (weights); hash: FNV-1a
 * (Fowler, Noll, Vo) for the text, lowbias32 (C. Wellons, hash-prospector, public domain) to mix.
 */
import { Bounds } from './bounds.ts';
import type { Candidate, PickContext, StrategyFactory } from './strategy.ts';
import { WeightedDraw } from './weighted-draw.ts';

const TWO_32 = 2 ** 32;
/** 2^32 divided by the golden ratio, made odd. */
const GOLDEN = 0x9e3779b1;
const V4_MAPPED = '::ffff:';

interface Entry {
  readonly candidate: Candidate;
  readonly idHash: number;
  readonly idHash2: number;
}

/** Factory of the strategy `iphash`. */
export const createSourceHash: StrategyFactory = (candidates, { random, balanceFactor }) => {
  const entries = candidates.map(toEntry).sort((a, b) => (a.candidate.id < b.candidate.id ? -1 : 1));
  const withoutKey = new WeightedDraw(candidates, random);
  const weighted = candidates.some(({ weight }) => weight !== candidates[0]?.weight);
  const best = weighted ? bestByWeight : bestOfEqual;

  const choose = (key: string, skip: PickContext['skip']): Candidate | undefined =>
    key === '' ? withoutKey.one(skip) : best(entries, mix(hashText(canonical(key))), skip);
  if (balanceFactor === undefined) {
    return { pick: ({ clientAddress, hashKey = clientAddress, skip }) => choose(hashKey, skip) };
  }
  const bounds = new Bounds(candidates, balanceFactor);
  return {
    pick({ clientAddress, hashKey = clientAddress, skip }) {
      bounds.look();
      const bounded = choose(hashKey, candidate => skip?.(candidate) === true || bounds.isReached(candidate));
      // Those within their bounds were tried, or are at their `maxSessions`.
      return bounded ?? choose(hashKey, skip);
    },
  };
};

function bestOfEqual(
  entries: readonly Entry[],
  keyHash: number,
  skip: PickContext['skip'],
): Candidate | undefined {
  let highest = -1;
  let best: Candidate | undefined;
  for (const entry of entries) {
    const drawn = draw(keyHash, entry);
    if (drawn > highest && skip?.(entry.candidate) !== true) {
      highest = drawn;
      best = entry.candidate;
    }
  }
  return best;
}

function bestByWeight(
  entries: readonly Entry[],
  keyHash: number,
  skip: PickContext['skip'],
): Candidate | undefined {
  let lowest = Infinity;
  let best: Candidate | undefined;
  for (const entry of entries) {
    const { candidate } = entry;
    const u = (draw(keyHash, entry) + 0.5) / TWO_32;
    if (1 - u >= lowest * candidate.weight) continue;
    const score = -Math.log(u) / candidate.weight;
    if (score < lowest && skip?.(candidate) !== true) {
      lowest = score;
      best = candidate;
    }
  }
  return best;
}

function toEntry(candidate: Candidate): Entry {
  const idHash = mix(hashText(candidate.id));
  return { candidate, idHash, idHash2: mix(idHash + GOLDEN) };
}

/**
 * A 32-bit draw that key and id determine together. The product between the two uses of the id keeps the
 * draws of two ids from being one permutation seen through a fixed XOR.
 */
function draw(keyHash: number, { idHash, idHash2 }: Entry): number {
  return mix(Math.imul(keyHash ^ idHash, GOLDEN) + idHash2);
}

/** The same client through an IPv4 and through a dual-stack listener has the same address. */
function canonical(address: string): string {
  return address.startsWith(V4_MAPPED) ? address.slice(V4_MAPPED.length) : address;
}

/** FNV-1a over UTF-16 units, which for addresses are bytes. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

/** lowbias32: a permutation of the 32-bit integers in which each input bit turns half of the output bits. */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
