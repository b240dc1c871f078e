/** `leastconn` with counts of other instances, held against an oracle in exact fractions. */
import t from 'tap';
import { createLeastConnections } from '../../strategies/least-connections.ts';
import { createLeastOfFew } from '../../strategies/least-of-few.ts';
import { createLeastOfMany } from '../../strategies/least-of-many.ts';
import type { Candidate, PickContext, StrategyFactory } from '../../strategies/strategy.ts';
import { fc } from '../harness/properties.ts';
import { anyone, deps, fake, seeded, sharedFake, tally, without } from './fakes.ts';
import type { SharedFake } from './fakes.ts';

/** A fraction; its denominator is above 0. */
type Fraction = readonly [bigint, bigint];

const compare = ([a, b]: Fraction, [c, d]: Fraction): number => Number(a * d - c * b);
const larger = (a: Fraction, b: Fraction): Fraction => (compare(a, b) >= 0 ? a : b);

/**
 * The water level: the least of (unseen + Σ estimates) / Σ weights over all groups of candidates. (What is poured
 * over a group is at most all of it, so no group's value is below the level; that of those under water is it.)
 */
function exactLevel(all: readonly SharedFake[], unseen: number): Fraction {
  let least: Fraction = [1n, 0n];
  for (let group = 1; group < 2 ** all.length; group += 1) {
    const members = all.filter((_, i) => (group & (1 << i)) !== 0);
    const sessions = members.reduce((sum, one) => sum + one.sessions + one.others, unseen);
    const weight = members.reduce((sum, one) => sum + one.weight, 0);
    const value: Fraction = [BigInt(sessions), BigInt(weight)];
    if (least[1] === 0n || compare(value, least) < 0) least = value;
  }
  return least;
}

/** All that may be picked: the least max(estimate / weight, level), and of these the fewest own per weight. */
function expected(all: readonly SharedFake[], level: Fraction, skip: PickContext['skip']): SharedFake[] {
  const keys = all
    .filter(one => skip?.(one) !== true)
    .map(one => {
      const weight = BigInt(one.weight);
      const estimate: Fraction = [BigInt(one.sessions + one.others), weight];
      const own: Fraction = [BigInt(one.sessions), weight];
      return { one, load: larger(estimate, level), own };
    });
  const order = (a: (typeof keys)[number], b: (typeof keys)[number]): number =>
    compare(a.load, b.load) || compare(a.own, b.own);
  const [least] = keys.toSorted(order);
  return least === undefined ? [] : keys.filter(key => order(key, least) === 0).map(({ one }) => one);
}

const count = fc.integer({ min: 0, max: 12 });
const weights = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 6 });
const fewWeights = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 6 });
const steps = fc.array(
  fc.oneof(
    fc.record({ own: fc.nat(5), by: fc.integer({ min: -3, max: 3 }), silent: fc.boolean() }),
    fc.record({ others: fc.array(count, { minLength: 6, maxLength: 6 }), unseen: fc.nat(40) }),
    fc.record({ skip: fc.nat(63) }),
  ),
  { maxLength: 40, size: 'max' },
);

/** What is claimed here holds for either way to find the least, however many candidates there are. */
const WAYS: Readonly<Record<string, StrategyFactory>> = {
  leastconn: createLeastConnections,
  'least of few': createLeastOfFew,
  'least of many': createLeastOfMany,
};

for (const [name, create] of Object.entries(WAYS)) {
  await t.test(name, async t => {
    await t.test('any history agrees with exact water and exact fractions, and all ties are reachable', t => {
      let compared = 0;
      fc.assert(
        fc.property(fc.oneof(weights, fewWeights), steps, fc.integer(), (given, history, seed) => {
          const all = given.map((weight, i) => sharedFake(`b${String(i)}`, weight));
          const strategy = create(all, deps({ random: seeded(seed) }));
          // Nothing has been heard: everything is under water.
          let level: Fraction = [2n ** 60n, 1n];
          return history.every(step => {
            let skipped: readonly Candidate[] = [];
            if ('own' in step) {
              const changed = all[step.own % all.length]!;
              changed.sessions = Math.max(0, changed.sessions + step.by);
              // Another thread says nothing. Among four or fewer even that misleads nobody.
              if (!step.silent || all.length > 4) strategy.changed?.(changed);
            } else if ('others' in step) {
              for (const [i, one] of all.entries()) one.others = step.others[i]!;
              strategy.heard?.(step.unseen);
              level = exactLevel(all, step.unseen);
            } else skipped = all.filter((_, i) => (step.skip & (1 << i)) !== 0);
            const context = skipped.length > 0 ? without(...skipped) : anyone;
            const ties = expected(all, level, context.skip);
            compared += 1;
            if (ties.length === 0) return strategy.pick(context) === undefined;
            const seen = tally(ties.length === 1 ? 2 : 20 * ties.length, () => strategy.pick(context));
            return seen.size === ties.length && ties.every(({ id }) => seen.has(id));
          });
        }),
        { numRuns: 400 },
      );
      t.ok(compared > 4000, String(compared));
      t.end();
    });

    await t.test("with nothing unseen it takes the least of everybody's sessions per weight", t => {
      const all = [sharedFake('a', 1, 0, 9), sharedFake('b', 2, 5, 2), sharedFake('c', 1, 4, 0)];
      const strategy = create(all, deps());
      t.equal(strategy.pick(anyone)?.id, 'a', 'as long as nothing has been heard, its own count');
      strategy.heard?.(0);
      t.equal(strategy.pick(anyone)?.id, 'b', '7/2 < 4/1 < 9/1');
      all[1]!.sessions = 7;
      strategy.changed?.(all[1]!);
      t.equal(strategy.pick(anyone)?.id, 'c', '4/1 < 9/2');
      t.end();
    });

    /** In how many of 20,000 picks sharing makes a difference if the others hold `others()` each and `unseen` is heard. */
    function differences(others: () => number, unseen: number): number {
      const random = seeded(8);
      const own = [1, 1, 2, 3, 7, 1, 2, 40].map((weight, i) => fake(`b${String(i)}`, weight));
      const shared = own.map(({ id, weight }) => sharedFake(id, weight));
      const alone = create(own, deps({ random: seeded(9) }));
      const sharing = create(shared, deps({ random: seeded(9) }));
      let different = 0;
      for (let i = 0; i < 20_000; i += 1) {
        if (i % 50 === 0) {
          for (const one of shared) one.others = others();
          sharing.heard?.(unseen);
        }
        const picked = alone.pick(anyone);
        if (sharing.pick(anyone)?.id !== picked?.id) different += 1;
        const opens = own.findIndex(one => one === picked);
        const closes = Math.floor(random() * own.length);
        for (const side of [own, shared]) {
          side[opens]!.sessions += 1;
          if (i > 200 && side[closes]!.sessions > 0) side[closes]!.sessions -= 1;
        }
        for (const at of [opens, closes]) {
          alone.changed?.(own[at]!);
          sharing.changed?.(shared[at]!);
        }
      }
      return different;
    }

    await t.test('with very many unseen it picks as without sharing, draw for draw', t => {
      const random = seeded(10);
      const others = (): number => Math.floor(random() * 300);
      t.equal(differences(others, 1e9), 0);
      t.ok(differences(others, 100) > 1000, 'which it does not with fewer');
      t.end();
    });

    await t.test('with nothing elsewhere it picks as without sharing, draw for draw', t => {
      for (const unseen of [0, 3]) {
        t.equal(
          differences(() => 0, unseen),
          0,
        );
      }
      t.end();
    });

    await t.test('a close that nobody told it of is noticed, however many there are, when news comes', t => {
      const all = Array.from({ length: 40 }, (_, i) => sharedFake(`b${String(i)}`, 1, 10, 1));
      const strategy = create(all, deps());
      strategy.heard?.(0);
      for (const freed of all) {
        freed.sessions = 0;
        strategy.heard?.(0);
        if (strategy.pick(anyone) !== freed) t.fail(freed.id);
        freed.sessions = 10;
      }
      t.end();
    });

    await t.test('in between it tells apart only what differs by more than may have happened', t => {
      const all = [sharedFake('a', 1, 2, 0), sharedFake('b', 1, 1, 3), sharedFake('c', 1, 0, 30)];
      const strategy = create(all, deps());
      strategy.heard?.(1);
      t.equal(strategy.pick(anyone)?.id, 'a', 'level 3: only a is under water');
      strategy.heard?.(6);
      t.equal(strategy.pick(anyone)?.id, 'b', 'level 6: a and b are equal but for the own sessions');
      strategy.heard?.(100);
      t.equal(strategy.pick(anyone)?.id, 'c', 'level over 30: all are');
      t.end();
    });

    await t.test('a load that the water just reaches is under it, whatever the fraction', t => {
      for (let weight = 1; weight <= 256; weight += 1) {
        // Four sessions' level in a / weight: as high as b stands.
        const all = [sharedFake('a', weight, 3, 0), sharedFake('b', weight, 0, 4)];
        const strategy = create(all, deps());
        strategy.heard?.(1);
        if (strategy.pick(anyone)?.id !== 'b') t.fail(`weight ${String(weight)}`);
      }
      t.end();
    });

    await t.test('when the others have nothing any more it picks by its own counts again', t => {
      const all = [sharedFake('a', 1, 0, 9), sharedFake('b', 1, 1, 0)];
      const strategy = create(all, deps());
      strategy.heard?.(0);
      t.equal(strategy.pick(anyone)?.id, 'b');
      for (const one of all) one.others = 0;
      strategy.heard?.(0);
      t.equal(strategy.pick(anyone)?.id, 'a');
      t.end();
    });

    await t.test('what the others have changes nothing before it is heard', t => {
      const all = [sharedFake('a', 1, 0, 0), sharedFake('b', 1, 0, 5)];
      const strategy = create(all, deps());
      strategy.heard?.(0);
      [all[0]!.others, all[1]!.others] = [50, 0];
      all[0]!.sessions = 1;
      strategy.changed?.(all[0]!);
      t.equal(strategy.pick(anyone)?.id, 'a', '1 + 0 as heard');
      strategy.heard?.(0);
      t.equal(strategy.pick(anyone)?.id, 'b');
      t.end();
    });
  });
}
