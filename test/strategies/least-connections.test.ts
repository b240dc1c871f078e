import t from 'tap';
import { createStrategy } from '../../strategies/index.ts';
import { createLeastConnections } from '../../strategies/least-connections.ts';
import { createLeastOfFew } from '../../strategies/least-of-few.ts';
import { createLeastOfMany } from '../../strategies/least-of-many.ts';
import type { Candidate, StrategyFactory } from '../../strategies/strategy.ts';
import { strategyContract } from '../contracts/strategy.ts';
import { fc } from '../harness/properties.ts';
import { anyone, deps, equals, fake, fakes, seeded, tally, without, worstError } from './fakes.ts';
import type { FakeCandidate } from './fakes.ts';

/** What a naive scan with exact arithmetic finds: all candidates with the fewest sessions per weight. */
function leastLoaded(
  candidates: readonly Candidate[],
  skip?: (candidate: Candidate) => boolean,
): Candidate[] {
  let least: Candidate[] = [];
  for (const candidate of candidates) {
    if (candidate.weight === 0 || skip?.(candidate) === true) continue;
    const best = least[0] ?? candidate;
    const difference = candidate.live() * best.weight - best.live() * candidate.weight;
    if (difference < 0) least = [candidate];
    else if (difference === 0) least.push(candidate);
  }
  return least;
}

/** What is claimed here holds for either way to find the least, however many candidates there are. */
const WAYS: Readonly<Record<string, StrategyFactory>> = {
  leastconn: createLeastConnections,
  'least of few': createLeastOfFew,
  'least of many': createLeastOfMany,
};

for (const [name, create] of Object.entries(WAYS)) {
  await t.test(name, async t => {
    await strategyContract(t, name, create);

    await t.test(
      'every pick is least loaded at its moment: 100,000 random opens, closes and weight changes',
      t => {
        const random = seeded(2026);
        const below = (limit: number): number => Math.floor(random() * limit);
        let all = fakes(1, 1, 2, 3, 5, 8, 0, 1, 4, 100);
        let strategy = createStrategy(create, all, deps({ random }));
        const held: string[] = [];
        let wrong = 0;
        let opened = 0;
        for (let step = 0; step < 100_000; step += 1) {
          const what = random();
          if (what < 0.001) {
            all = all.map(({ id, sessions }) => fake(id, below(6), sessions));
            strategy = createStrategy(create, all, deps({ random }), strategy);
          } else if (what < 0.55 - 0.1 * Number(held.length > 400)) {
            const context = random() < 0.2 ? without(all[below(10)]!, all[below(10)]!) : anyone;
            const picked = strategy.pick(context) as FakeCandidate | undefined;
            const expected: (Candidate | undefined)[] = leastLoaded(all, context.skip);
            if (expected.length === 0) expected.push(undefined);
            if (!expected.includes(picked)) wrong += 1;
            if (picked === undefined) continue;
            opened += 1;
            picked.sessions += 1;
            held.push(picked.id);
            strategy.changed?.(picked);
          } else if (held.length > 0) {
            const [id] = held.splice(below(held.length), 1);
            const closed = all.find(candidate => candidate.id === id)!;
            closed.sessions -= 1;
            strategy.changed?.(closed);
          }
        }
        t.equal(wrong, 0);
        t.ok(opened > 40_000);
        t.end();
      },
    );

    await t.test(
      'any sequence of opens and closes agrees with the naive scan, and all ties are reachable',
      t => {
        const input = fc.record({
          weights: fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 8 }),
          steps: fc.array(fc.record({ at: fc.nat(7), by: fc.integer({ min: -3, max: 3 }) }), {
            maxLength: 60,
          }),
        });
        fc.assert(
          fc.property(input, fc.integer(), ({ weights, steps }, seed) => {
            const all = fakes(...weights);
            const strategy = create(all, deps({ random: seeded(seed) }));
            return steps.every(({ at, by }) => {
              const changed = all[at % all.length]!;
              changed.sessions = Math.max(0, changed.sessions + by);
              strategy.changed?.(changed);
              const ties = leastLoaded(all);
              const seen = tally(ties.length === 1 ? 1 : 20 * ties.length, () => strategy.pick(anyone));
              return seen.size === ties.length && ties.every(({ id }) => seen.has(id));
            });
          }),
          { numRuns: 150 },
        );
        t.end();
      },
    );

    await t.test('ties are spread evenly: N=100,000 over 8, ε=4 %', t => {
      const all = [...equals(8), fake('busy', 1, 1)];
      const strategy = create(all, deps({ random: seeded(3) }));
      const picks = tally(100_000, () => strategy.pick(anyone));
      t.notOk(picks.has('busy'));
      t.ok(worstError(picks, Object.fromEntries(all.slice(0, 8).map(({ id }) => [id, 1 / 8]))) < 0.04);
      t.end();
    });

    await t.test('a tie does not depend on who was picked before: N=100,000 over 4, ε=4 %', t => {
      const all = equals(4);
      const strategy = create(all, deps({ random: seeded(4) }));
      let last: string | undefined;
      const runs = tally(100_000, () => {
        const picked = strategy.pick(anyone) as FakeCandidate;
        const again = picked.id === last;
        last = picked.id;
        // One session at a time: it opens and closes, so all four are tied again at the next pick.
        for (const by of [1, -1]) {
          picked.sessions += by;
          strategy.changed?.(picked);
        }
        return fake(again ? 'again' : 'another');
      });
      t.ok(worstError(runs, { again: 1 / 4, another: 3 / 4 }) < 0.04);
      t.end();
    });

    await t.test('what is skipped leaves the ties of the others even: N=100,000 over 3, ε=3 %', t => {
      const all = equals(4);
      const strategy = create(all, deps({ random: seeded(5) }));
      const picks = tally(100_000, () => strategy.pick(without(all[1]!)));
      t.ok(worstError(picks, { b0: 1 / 3, b2: 1 / 3, b3: 1 / 3 }) < 0.03);
      t.end();
    });

    await t.test('goes up through the loads when the least loaded are full, and finds them again', t => {
      const all = [fake('a', 1, 1), fake('b', 1, 1), fake('c', 1, 2), fake('d', 1, 3)];
      const [a, b, c] = all as [FakeCandidate, FakeCandidate, FakeCandidate];
      const strategy = create(all, deps());
      t.equal(strategy.pick(without(a, b))?.id, 'c');
      t.equal(strategy.pick(without(a, b, c))?.id, 'd');
      t.equal(strategy.pick(without(...all)), undefined);
      t.equal(strategy.pick(without(a))?.id, 'b');
      t.end();
    });

    await t.test('opens that nobody told it of never mislead it', t => {
      const random = seeded(6);
      const all = equals(40);
      const strategy = create(all, deps({ random }));
      for (let i = 0; i < 5000; i += 1) {
        all[Math.floor(random() * all.length)]!.sessions += 1;
        const picked = strategy.pick(anyone)!;
        if (!leastLoaded(all).includes(picked)) t.fail('not the least loaded');
      }
      t.end();
    });

    await t.test('a close that nobody told it of is noticed within n / 4 picks', t => {
      const all = equals(40).map(({ id }) => fake(id, 1, 10));
      const strategy = create(all, deps());
      for (const freed of all) {
        freed.sessions = 0;
        const picks = tally(11, () => strategy.pick(anyone));
        t.ok(picks.has(freed.id));
        freed.sessions = 10;
        strategy.changed?.(freed);
      }
      const few = [fake('x', 1, 9), fake('y', 2, 9), fake('z', 1, 4), fake('w', 1, 9)];
      const exact = create(few, deps());
      few[1]!.sessions = 1;
      t.equal(exact.pick(anyone)?.id, 'y', 'at once among four');
      t.end();
    });

    await t.test('an idle backend goes first whatever its weight; busy ones by sessions per weight', t => {
      const all = [fake('light', 1, 0), fake('heavy', 100, 1)];
      const strategy = create(all, deps());
      t.equal(strategy.pick(anyone)?.id, 'light');
      all[0]!.sessions = 1;
      all[1]!.sessions = 99;
      t.equal(strategy.pick(anyone)?.id, 'heavy');
      all[1]!.sessions = 101;
      t.equal(strategy.pick(anyone)?.id, 'light');
      t.end();
    });

    await t.test('division orders loads as exact fractions do, up to live × weight = 2^52', t => {
      const live = fc.integer({ min: 0, max: 2 ** 26 });
      const weight = fc.integer({ min: 1, max: 2 ** 26 });
      fc.assert(
        fc.property(live, weight, live, weight, fc.integer({ min: -1, max: 1 }), (a, w, b, v, near) => {
          // Half of the time the closest neighbour of a/w with the other weight, where rounding could hurt.
          const c = near === 0 ? b : Math.max(0, Math.min(2 ** 26, Math.round((a * v) / w) + near));
          const exact = BigInt(a) * BigInt(v) - BigInt(c) * BigInt(w);
          return Math.sign(a / w - c / v) === (exact > 0n ? 1 : exact < 0n ? -1 : 0);
        }),
        { numRuns: 2000 },
      );
      t.end();
    });
  });
}
