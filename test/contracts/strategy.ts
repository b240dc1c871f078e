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
  without,
} from '../strategies/fakes.ts';

/** A strategy of no kind that a factory could know. */
const stranger: Strategy = { pick: () => undefined };

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
