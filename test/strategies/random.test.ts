import t from 'tap';
import { createRandom } from '../../strategies/random.ts';
import { strategyContract } from '../contracts/strategy.ts';
import { fc } from '../harness/properties.ts';
import { anyone, deps, draws, fakes, seeded, tally, worstError } from './fakes.ts';

await strategyContract(t, 'random', createRandom);

await t.test('follows the weights 1:2:5: N=100,000, ε=1 % of all picks, 3 % of each share', t => {
  const strategy = createRandom(fakes(1, 2, 5), deps({ random: seeded(4) }));
  const picks = tally(100_000, () => strategy.pick(anyone));
  const shares = { b0: 1 / 8, b1: 2 / 8, b2: 5 / 8 };
  for (const [id, share] of Object.entries(shares))
    t.ok(Math.abs(picks.get(id)! / 100_000 - share) < 0.01, id);
  t.ok(worstError(picks, shares) < 0.03);
  t.end();
});

await t.test('draws and skips as a list with one element per unit of weight would', t => {
  const input = fc.record({
    weights: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 }),
    first: fc.integer({ min: 0, max: 999 }),
    second: fc.integer({ min: 0, max: 999 }),
    closed: fc.integer({ min: 0, max: 2 ** 12 - 1 }),
  });
  fc.assert(
    fc.property(input, ({ weights, first, second, closed }) => {
      const all = fakes(...weights);
      const skip = (candidate: { id: string }): boolean =>
        ((closed >> Number(candidate.id.slice(1))) & 1) === 1;
      const list = all.flatMap(candidate => Array.from({ length: candidate.weight }, () => candidate));
      const open = list.filter(candidate => !skip(candidate));
      const drawn = list[Math.floor((first / 1000) * list.length)]!;
      const redrawn = open[Math.floor((second / 1000) * open.length)];

      // A line of length 1 needs no draw: then the first stated one serves the second purpose.
      const values = list.length === 1 ? [second / 1000] : [first / 1000, second / 1000];
      const picked = createRandom(all, deps({ random: draws(...values) })).pick({ ...anyone, skip });
      return picked === (skip(drawn) ? redrawn : drawn);
    }),
    { numRuns: 2000 },
  );
  t.end();
});
