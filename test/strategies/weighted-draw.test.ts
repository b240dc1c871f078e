import t from 'tap';
import { WeightedDraw } from '../../strategies/weighted-draw.ts';
import { draws, equals, failures, fakes, seeded, tally, without, worstError } from './fakes.ts';

const sessions = (candidate: { live(): number }): number => candidate.live();

await t.test('finds the stretch of the weight line that a draw falls on', t => {
  const all = fakes(1, 2, 5);
  const points = [0, 0.124, 0.125, 0.374, 0.375, 0.999];
  const draw = new WeightedDraw(all, draws(...points));
  t.strictSame(
    points.map(() => draw.one(undefined)?.id),
    ['b0', 'b0', 'b1', 'b1', 'b2', 'b2'],
  );
  t.end();
});

await t.test('draws nothing from the generator when there is no choice', t => {
  const [only] = fakes(1);
  const draw = new WeightedDraw([only!], draws());
  t.equal(draw.one(undefined), only);
  t.equal(draw.cheaperOfTwo(sessions, undefined), only);
  t.end();
});

await t.test('the second of two is never the first, whatever is drawn', t => {
  for (const weights of [
    [1, 1, 1],
    [4, 1, 3],
  ]) {
    const same = failures(256, round => {
      const asked: string[] = [];
      const draw = new WeightedDraw(fakes(...weights), draws((round >> 4) / 16, (round & 15) / 16));
      draw.cheaperOfTwo(({ id }) => asked.push(id), undefined);
      return new Set(asked).size === 2;
    });
    t.equal(same, 0);
  }
  t.end();
});

await t.test('every pair of equals is equally likely: N=100,000 over 5, ε=5 %', t => {
  const random = seeded(5);
  const draw = new WeightedDraw(equals(5), random);
  const pairs = tally(100_000, () => {
    const asked: string[] = [];
    draw.cheaperOfTwo(({ id }) => asked.push(id), undefined);
    return { id: asked.sort().join(), weight: 1, live: () => 0 };
  });
  t.equal(pairs.size, 10);
  t.ok(worstError(pairs, Object.fromEntries([...pairs.keys()].map(pair => [pair, 0.1]))) < 0.05);
  t.end();
});

await t.test('weighted pairs are drawn without replacement: N=200,000 over 1:2:5, ε=2 %', t => {
  const draw = new WeightedDraw(fakes(1, 2, 5), seeded(6));
  const pairs = tally(200_000, () => {
    const asked: string[] = [];
    draw.cheaperOfTwo(({ id }) => asked.push(id), undefined);
    // The cost of the second is asked first.
    return { id: asked.reverse().join(), weight: 1, live: () => 0 };
  });
  const w = [1, 2, 5];
  const shares: Record<string, number> = {};
  for (const a of [0, 1, 2]) {
    for (const b of [0, 1, 2]) {
      if (a !== b) shares[`b${String(a)},b${String(b)}`] = (w[a]! / 8) * (w[b]! / (8 - w[a]!));
    }
  }
  t.ok(worstError(pairs, shares) < 0.02);
  t.end();
});

await t.test('what is skipped leaves the others in proportion: N=100,000, ε=3 %', t => {
  const all = fakes(1, 2, 3, 5);
  const draw = new WeightedDraw(all, seeded(8));
  const { skip } = without(all[2]!);
  const picks = tally(100_000, () => draw.one(skip));
  t.notOk(picks.has('b2'));
  t.ok(worstError(picks, { b0: 1 / 8, b1: 2 / 8, b3: 5 / 8 }) < 0.03);
  t.end();
});

await t.test('of two, one skipped, the open one is taken without asking its cost', t => {
  const all = equals(2);
  const draw = new WeightedDraw(all, seeded(9));
  const never = (): number => {
    throw new Error('asked');
  };
  for (let i = 0; i < 20; i += 1) t.equal(draw.cheaperOfTwo(never, without(all[0]!).skip), all[1]);
  t.equal(
    draw.cheaperOfTwo(never, () => true),
    undefined,
  );
  t.end();
});
