/**
 * What every strategy must keep to, whatever it balances by: one suite, run on each built-in strategy and on
 * the example that the documentation gives to users.
 */
import type { Test } from 'tap';
import { createStrategy } from '../../strategies/index.ts';
import type { Candidate, Strategy, StrategyFactory } from '../../strategies/strategy.ts';
import {
  addressOf,
  anyone,
  deps,
  equals,
  fake,
  fakes,
  failures,
  seeded,
  sharedFake,
  without,
} from '../strategies/fakes.ts';

/** A strategy of no kind that a factory could know. */
const stranger: Strategy = { pick: () => undefined };

/** Another count at each look, which the contract does not allow and no strategy may fall over. */
function seededCounts(seed: number): () => number {
  const random = seeded(seed);
  return () => Math.floor(random() * 9);
}

/** Runs the suite on one factory. */
export function strategyContract(t: Test, name: string, factory: StrategyFactory): Promise<unknown> {
  const build = (candidates: readonly Candidate[], previous?: Strategy): Strategy =>
    createStrategy(factory, candidates, deps({ random: seeded(7) }), previous);

  return t.test(`${name} keeps the contract`, async t => {
    await t.test('picks nothing when there is nothing', t => {
      t.equal(build([]).pick(anyone), undefined);
      t.equal(build([]).pick(without()), undefined);
      t.end();
    });

    await t.test('picks the only candidate, every time', t => {
      const only = fake('only', 3);
      const strategy = build([only]);
      const missed = failures(50, i => {
        const picked = strategy.pick({ clientAddress: addressOf(i) });
        only.sessions += 1;
        strategy.changed?.(only);
        return picked === only;
      });
      t.equal(missed, 0);
      t.end();
    });

    await t.test('never picks weight 0', t => {
      const all = fakes(0, 2, 0, 1, 0);
      const strategy = build(all);
      const picksOfZero = failures(1000, i => strategy.pick({ clientAddress: addressOf(i) })!.weight > 0);
      t.equal(picksOfZero, 0);
      t.equal(strategy.pick(without(all[1]!, all[3]!)), undefined);
      t.equal(build(fakes(0, 0)).pick(anyone), undefined);
      t.end();
    });

    await t.test('never picks what is skipped, and picks something while anything is left', t => {
      const all = fakes(1, 1, 2, 5, 9, 1);
      const strategy = build(all);
      const random = seeded(3);
      const wrong = failures(3000, i => {
        const skipped = all.filter(() => random() < 0.6);
        const picked = strategy.pick({ ...without(...skipped), clientAddress: addressOf(i) });
        const candidate = all.find(candidate => candidate === picked);
        if (candidate === undefined) return picked === undefined && skipped.length === all.length;
        candidate.sessions += 1;
        strategy.changed?.(candidate);
        return !skipped.includes(candidate);
      });
      t.equal(wrong, 0);
      t.not(strategy.pick(anyone), undefined, 'and all are there again afterwards');
      t.end();
    });

    await t.test('picks without an address', t => {
      const all = equals(3);
      const strategy = build(all);
      t.equal(
        failures(30, () => all.includes(strategy.pick({ clientAddress: '' }) as never)),
        0,
      );
      const left = strategy.pick({ clientAddress: '', skip: candidate => candidate !== all[1] });
      t.equal(left, all[1]);
      t.end();
    });

    await t.test('answers with the very candidates it was given, and changes no count', t => {
      const all = fakes(1, 2, 3);
      const strategy = build(all);
      t.equal(
        failures(300, () => all.includes(strategy.pick(anyone) as never)),
        0,
      );
      t.ok(all.every(candidate => candidate.sessions === 0));
      t.end();
    });

    await t.test('survives counts that change without notice, even between two looks', t => {
      const random = seeded(11);
      const restless = fakes(1, 2, 3, 4, 5).map(candidate => ({
        ...candidate,
        live: () => Math.floor(random() * 9),
      }));
      const strategy = build(restless);
      const lost = failures(2000, i => {
        const picked = strategy.pick(i % 2 === 0 ? anyone : without(restless[0]!));
        return restless.includes(picked as never);
      });
      t.equal(lost, 0);
      t.end();
    });

    await t.test('survives news of candidates that it does not know', t => {
      const all = equals(2);
      const strategy = build(all);
      strategy.changed?.(fake('gone', 1, 4));
      strategy.connected?.(fake('gone', 1, 4), 12);
      t.ok(all.includes(strategy.pick(anyone) as never));
      t.end();
    });

    await t.test('keeps to all that with counts of other instances, whatever is unseen', t => {
      const random = seeded(13);
      // One that says nothing of others, as a user's own candidate may.
      const all = [fake('b0', 2), ...[1, 1, 3, 5, 0].map((weight, i) => sharedFake(`s${String(i)}`, weight))];
      let strategy = build(all);
      const wrong = failures(3000, i => {
        if (i % 500 === 499) strategy = build(all, strategy);
        if (random() < 0.3) {
          for (const candidate of all) {
            if ('others' in candidate) candidate.others = Math.floor(random() * 40);
          }
          strategy.heard?.([0, 0.3, 4, 1e9][Math.floor(random() * 4)]!);
        }
        const skipped = all.filter(() => random() < 0.5);
        const picked = strategy.pick({ ...without(...skipped), clientAddress: addressOf(i) });
        const candidate = all.find(candidate => candidate === picked);
        if (candidate === undefined) {
          return picked === undefined && all.every(one => one.weight === 0 || skipped.includes(one));
        }
        candidate.sessions += 1;
        strategy.changed?.(candidate);
        return candidate.weight > 0 && !skipped.includes(candidate);
      });
      t.equal(wrong, 0);
      t.not(strategy.pick(anyone), undefined);
      t.end();
    });

    await t.test('hears of others when there is nobody, and when the counts change between two looks', t => {
      const none = build([]);
      none.heard?.(0);
      none.heard?.(3);
      t.equal(none.pick(anyone), undefined);
      const restless = [1, 2, 3].map(weight => ({
        ...fake(`r${String(weight)}`, weight),
        elsewhere: seededCounts(weight),
      }));
      const strategy = build(restless);
      const lost = failures(500, i => {
        strategy.heard?.(i % 7);
        return restless.includes(strategy.pick(anyone) as never);
      });
      t.equal(lost, 0);
      t.end();
    });

    await t.test('can replace a stranger, then its own kind again and again', t => {
      let all = fakes(1, 2, 3, 4);
      let strategy = build(all, stranger);
      const wrong = failures(500, i => {
        const picked = strategy.pick(anyone)!;
        const right = all.includes(picked as never) && picked.weight > 0;
        strategy.connected?.(picked, 1 + (i % 5));
        all = all.map((candidate, at) => fake(candidate.id, (at + i) % 4, i % 3));
        strategy = build(all, strategy);
        return right;
      });
      t.equal(wrong, 0);
      t.equal(build([], strategy).pick(anyone), undefined);
      t.not(build(all, build([], strategy)).pick(anyone), undefined);
      t.end();
    });

    await t.test('does a thousand candidates, most of them skipped', t => {
      const all = equals(1000);
      const strategy = build(all);
      const open = new Set<Candidate>([all[17]!, all[600]!]);
      const skip = (candidate: Candidate): boolean => !open.has(candidate);
      const wrong = failures(200, i => {
        const picked = strategy.pick({ clientAddress: addressOf(i), skip });
        return strategy.pick(anyone) !== undefined && picked !== undefined && open.has(picked);
      });
      t.equal(wrong, 0);
      t.end();
    });
  });
}
