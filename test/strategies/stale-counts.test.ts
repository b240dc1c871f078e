import t from 'tap';
import { elsewhereOf, gain, waterLevel } from '../../strategies/stale-counts.ts';
import type { Estimate } from '../../strategies/stale-counts.ts';
import { fc } from '../harness/properties.ts';
import { fake, sharedFake } from './fakes.ts';

const estimate = fc.record({
  sessions: fc.integer({ min: 0, max: 2000 }),
  weight: fc.integer({ min: 1, max: 256 }),
});
const estimates = fc.array(estimate, { minLength: 1, maxLength: 30 });
const unseen = fc.oneof(fc.nat(20), fc.nat(1e6), fc.double({ min: 0, max: 500, noNaN: true }));
const runs = { numRuns: 500 };

/** How much water there is below a level. */
function poured(all: readonly Estimate[], level: number): number {
  return all.reduce((sum, { sessions, weight }) => sum + Math.max(0, level * weight - sessions), 0);
}

const leastLoad = (all: readonly Estimate[]): number =>
  Math.min(...all.map(({ sessions, weight }) => sessions / weight));

await t.test('the water poured is what is unseen', t => {
  fc.assert(
    fc.property(estimates, unseen, (all, amount) => {
      const error = Math.abs(poured(all, waterLevel(all, amount)) - amount);
      return error <= 1e-9 * (1 + amount + all.reduce((sum, { sessions }) => sum + sessions, 0));
    }),
    runs,
  );
  t.end();
});

await t.test('with nothing unseen the level is the least load, to the last digit', t => {
  fc.assert(
    fc.property(estimates, all => waterLevel(all, 0) === leastLoad(all)),
    runs,
  );
  t.end();
});

await t.test('more unseen sessions never lower the level, and no order of the candidates changes it', t => {
  fc.assert(
    fc.property(estimates, unseen, unseen, (all, a, b) => {
      const [less, more] = [waterLevel(all, Math.min(a, b)), waterLevel(all, Math.max(a, b))];
      // Among equal loads the order decides how sums are rounded.
      const reversed = waterLevel(all.toReversed(), a);
      return (
        leastLoad(all) <= less && less <= more && Math.abs(reversed / waterLevel(all, a) - 1 || 0) < 1e-12
      );
    }),
    runs,
  );
  t.end();
});

await t.test('fills the least loaded first, by their weights', t => {
  const all = [
    { sessions: 10, weight: 1 },
    { sessions: 0, weight: 1 },
    { sessions: 4, weight: 2 },
  ];
  const given = structuredClone(all);
  t.equal(waterLevel(all, 1), 1, 'one alone');
  t.equal(waterLevel(all, 2), 2, 'just up to the next');
  t.equal(waterLevel(all, 5), 3, 'both: 3 and 2 of the five');
  t.equal(waterLevel(all, 26), 10, 'just up to the last');
  t.equal(waterLevel(all, 30), 11, 'all');
  t.equal(waterLevel([], 3), 0, 'nobody');
  t.strictSame(all, given, 'which stay in their order');
  t.end();
});

await t.test('the others count in full up to one unseen session each, and then less in proportion', t => {
  t.strictSame(
    [0, 2, 4, 8, 400].map(amount => gain(amount, 4)),
    [1, 1, 1, 0.5, 0.01],
  );
  t.strictSame([gain(0, 0), gain(3, 0)], [1, 0]);
  t.end();
});

await t.test('a candidate that says nothing of others has none elsewhere', t => {
  t.equal(elsewhereOf(fake('alone', 1, 5)), 0);
  t.equal(elsewhereOf(sharedFake('shared', 1, 5, 7)), 7);
  t.end();
});
