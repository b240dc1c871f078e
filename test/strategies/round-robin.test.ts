import t from 'tap';
import { createRoundRobin } from '../../strategies/round-robin.ts';
import type { Candidate, Strategy } from '../../strategies/strategy.ts';
import { strategyContract } from '../contracts/strategy.ts';
import { fc } from '../harness/properties.ts';
import { anyone, deps, equals, failures, fake, fakes, tally, without } from './fakes.ts';

await strategyContract(t, 'roundrobin', createRoundRobin);

/** Starts the ring at its first candidate. */
const fromFirst = deps({ random: () => 0 });
const order = (strategy: Strategy, picks: number): string =>
  Array.from({ length: picks }, () => strategy.pick(anyone)?.id.slice(1)).join('');

const someWeights = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 12 });

await t.test('equals take turns in their order', t => {
  t.equal(order(createRoundRobin(equals(3), fromFirst), 9), '012012012');
  t.end();
});

await t.test('a heavy one is spread among the light, not served in a row', t => {
  t.equal(order(createRoundRobin(fakes(5, 1, 1), fromFirst), 14), '00102000010200');
  t.end();
});

await t.test('begins at a random place, so that balancers that start together start apart', t => {
  const first = (random: number): string =>
    order(createRoundRobin(equals(4), deps({ random: () => random })), 5);
  t.strictSame([0, 0.25, 0.5, 0.99].map(first), ['01230', '12301', '23012', '30123']);
  t.end();
});

await t.test('follows the weights 1:2:5 exactly: N=100,000, ε=0', t => {
  const strategy = createRoundRobin(fakes(1, 2, 5), deps());
  const picks = tally(100_000, () => strategy.pick(anyone));
  t.strictSame(Object.fromEntries(picks), { b0: 12_500, b1: 25_000, b2: 62_500 });
  t.end();
});

await t.test('after any k picks each has had floor or ceil of k·w/W', t => {
  fc.assert(
    fc.property(someWeights, fc.double({ min: 0, max: 0.999, noNaN: true }), (weights, start) => {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const strategy = createRoundRobin(fakes(...weights), deps({ random: () => start }));
      const counts = weights.map(() => 0);
      for (let k = 1; k <= 2 * total; k += 1) {
        counts[Number(strategy.pick(anyone)!.id.slice(1))]! += 1;
        const fair = weights.every((weight, i) => Math.abs(counts[i]! * total - k * weight) < total);
        if (!fair) return false;
      }
      return true;
    }),
    { numRuns: 100 },
  );
  t.end();
});

/** How far from its share anybody is at worst in one round, in turns; `next` names the index of each pick in turn. */
function worstOf(weights: readonly number[], next: (k: number, counts: readonly number[]) => number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const counts = weights.map(() => 0);
  let worst = 0;
  for (let k = 1; k <= total; k += 1) {
    counts[next(k, counts)]! += 1;
    weights.forEach((weight, i) => (worst = Math.max(worst, Math.abs(counts[i]! - (k * weight) / total))));
  }
  return worst;
}

const worstOfOurs = (weights: readonly number[]): number => {
  const strategy = createRoundRobin(fakes(...weights), fromFirst);
  return worstOf(weights, () => Number(strategy.pick(anyone)!.id.slice(1)));
};

/** nginx: whoever has the most weight saved up pays the sum of all weights. */
const worstOfNginx = (weights: readonly number[]): number => {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return worstOf(weights, (k, counts) => {
    const saved = weights.map((weight, i) => k * weight - counts[i]! * total);
    return saved.indexOf(Math.max(...saved));
  });
};

/** The same in the best of all orders. */
function leastPossible(weights: readonly number[]): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const known = new Map<string, number>();
  const after = (counts: readonly number[], k: number): number => {
    if (k > total) return 0;
    const key = counts.join();
    const cached = known.get(key);
    if (cached !== undefined) return cached;
    let best = Infinity;
    weights.forEach((weight, i) => {
      if (counts[i] === weight) return;
      const next = counts.map((count, at) => (at === i ? count + 1 : count));
      const off = Math.max(...weights.map((each, at) => Math.abs(next[at]! - (k * each) / total)));
      if (off < best) best = Math.min(best, Math.max(off, after(next, k + 1)));
    });
    known.set(key, best);
    return best;
  };
  return after(
    weights.map(() => 0),
    1,
  );
}

await t.test('no order keeps nearer to the shares at its worst moment', t => {
  const few = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(few, weights => worstOfOurs(weights) < leastPossible(weights) + 1e-9),
    { numRuns: 200 },
  );
  t.end();
});

await t.test('at its worst moment it is as near to the shares as the order of nginx, or nearer', t => {
  fc.assert(
    fc.property(someWeights, weights => worstOfOurs(weights) < worstOfNginx(weights) + 1e-9),
    { numRuns: 300 },
  );
  t.ok(worstOfOurs([2, 2, 41]) < 30.01 / 45, 'the heavy one is owed more than half a turn, and gets it');
  t.ok(worstOfNginx([...Array<number>(30).fill(7), ...Array<number>(20).fill(3), 40, 40, 40, 40, 40]) > 1.3);
  t.end();
});

await t.test('where the best order is too dear to look for, nobody is farther off than 1 - 1/(2n-2)', t => {
  // Bounds are whole parts of a turn, of which there are as many as the weights add up to.
  const bound = (weights: readonly number[]): number => {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const parts = total / weights.reduce(greatestCommonDivisor);
    return Math.ceil(parts * (1 - 1 / (2 * weights.length - 2))) / parts;
  };
  const many = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 40, maxLength: 60 });
  fc.assert(
    fc.property(many, weights => worstOfOurs(weights) <= bound(weights) + 1e-9),
    { numRuns: 20 },
  );
  t.end();
});

await t.test('a rebuild that changes nothing changes nothing', t => {
  fc.assert(
    fc.property(someWeights, someWeights, (weights, before) => {
      const all = fakes(...weights);
      // What was carried over from other weights has to be carried on, too.
      const begun = (): Strategy => {
        const old = createRoundRobin(fakes(...before), fromFirst);
        tally(7, () => old.pick(anyone));
        return createRoundRobin(all, fromFirst, old);
      };
      const steady = begun();
      let rebuilt = begun();
      for (let k = 0; k < 150; k += 1) {
        if (rebuilt.pick(anyone) !== steady.pick(anyone)) return false;
        rebuilt = createRoundRobin(all, deps({ random: () => 0.7 }), rebuilt);
      }
      return true;
    }),
    { numRuns: 50 },
  );
  t.end();
});

/** How far each candidate's picks are from its share at worst, in turns, over `picks` picks. */
function worstLag(strategy: Strategy, candidates: readonly Candidate[], picks: number): number {
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
  const counts = new Map(candidates.map(({ id }) => [id, 0]));
  let worst = 0;
  for (let k = 1; k <= picks; k += 1) {
    const { id } = strategy.pick(anyone)!;
    counts.set(id, counts.get(id)! + 1);
    for (const { id: other, weight } of candidates) {
      worst = Math.max(worst, Math.abs(counts.get(other)! - (k * weight) / total));
    }
  }
  return worst;
}

await t.test('after a rebuild with any other weights, each stays within two turns of its share', t => {
  let worst = 0;
  const weightLists = fc.array(fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 8, maxLength: 8 }), {
    minLength: 2,
    maxLength: 6,
  });
  fc.assert(
    fc.property(weightLists, fc.array(fc.nat(40), { minLength: 6, maxLength: 6 }), (lists, lengths) => {
      let strategy: Strategy | undefined;
      lists.forEach((weights, i) => {
        const all = fakes(...weights).filter(({ weight }) => weight > 0);
        strategy = createRoundRobin(all, fromFirst, strategy);
        if (all.length > 0)
          worst = Math.max(worst, worstLag(strategy, all, i + 1 < lists.length ? lengths[i]! : 300));
      });
    }),
    { numRuns: 100 },
  );
  t.ok(worst < 2);
  t.end();
});

await t.test('a new candidate gets its share from the start, no burst and no wait', t => {
  const old = equals(4);
  let strategy = createRoundRobin(old, fromFirst);
  for (let i = 0; i < 1001; i += 1) strategy.pick(anyone);
  const all = [...old, fake('bnew')];
  strategy = createRoundRobin(all, fromFirst, strategy);
  const turns = order(strategy, 50).split(/(?<=new)/);
  t.equal(turns.length, 11, 'ten of fifty picks, and the rest after the last');
  t.ok(turns.slice(0, 10).every(turn => turn.length - 'new'.length <= 8));
  t.end();
});

await t.test('one that flaps neither starves the others nor gets more than its share', t => {
  const all = equals(3);
  let strategy = createRoundRobin(all, fromFirst);
  const picks = tally(3000, i => {
    strategy = createRoundRobin(i % 2 === 0 ? all.slice(0, 2) : all, fromFirst, strategy);
    return strategy.pick(anyone);
  });
  t.ok(picks.get('b0')! >= 1000 && picks.get('b1')! >= 1000);
  t.ok((picks.get('b2') ?? 0) <= 1000);
  t.end();
});

await t.test('a backend that was full for long gets one turn at once and no more', t => {
  const all = fakes(5, 1, 2);
  const strategy = createRoundRobin(all, fromFirst);
  const meanwhile = tally(900, () => strategy.pick(without(all[0]!)));
  t.strictSame([meanwhile.get('b0'), meanwhile.get('b1'), meanwhile.get('b2')], [undefined, 300, 600]);
  const after = tally(80, () => strategy.pick(anyone));
  t.ok(Math.abs(after.get('b0')! - 50) <= 2, '50 of 80, as if it had never been away');
  t.ok(Math.abs(after.get('b1')! - 10) <= 1);
  t.end();
});

await t.test('a pick that finds nobody changes nothing', t => {
  const all = fakes(3, 1, 2);
  const strategy = createRoundRobin(all, fromFirst);
  const undisturbed = createRoundRobin(all, fromFirst);
  const disturbed = failures(
    40,
    () => strategy.pick(without(...all)) === undefined && strategy.pick(anyone) === undisturbed.pick(anyone),
  );
  t.equal(disturbed, 0);
  t.end();
});

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
