/** Several threads that take turns together: each has its own `roundrobin` over the same turns. */
import t from 'tap';
import { createRoundRobin } from '../../strategies/round-robin.ts';
import type { Candidate, Strategy } from '../../strategies/strategy.ts';
import { LocalTurns, turnBytes, turnRecords, HEAD_NUMBERS, type Turns } from '../../strategies/turns.ts';
import { fc } from '../harness/properties.ts';
import { anyone, deps, fakes, seeded, tally, without } from './fakes.ts';

/** As the picker makes them, over memory of one thread; `b7` stands at 7. Entered once at a time, or it throws. */
function sharedTurns(size = 16): Turns & { readonly entered: number } {
  let isInside = false;
  const turns = {
    entered: 0,
    head: new Float64Array(HEAD_NUMBERS),
    records: turnRecords(new ArrayBuffer(turnBytes(size))),
    placeOf: ({ id }: Candidate) => Number(id.slice(1)),
    enter() {
      if (isInside) throw new Error('entered twice');
      isInside = true;
      turns.entered += 1;
    },
    leave() {
      isInside = false;
    },
  };
  return turns;
}

const over = (turns: Turns | undefined, candidates: readonly Candidate[], previous?: Strategy): Strategy =>
  createRoundRobin(candidates, deps({ random: seeded(4), turns }), previous);

const weightLists = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 });
const whoseTurn = fc.array(fc.nat(3), { minLength: 60, maxLength: 60 });

await t.test('together they give the very order that one alone gives, whoever picks when', t => {
  fc.assert(
    fc.property(weightLists, whoseTurn, fc.array(fc.nat(7), { maxLength: 20 }), (weights, threads, full) => {
      const all = fakes(...weights);
      const turns = sharedTurns();
      const together = [0, 1, 2, 3].map(() => over(turns, all));
      const alone = over(undefined, all);
      return threads.every((thread, i) => {
        const skipped = all[full[i] ?? -1];
        const context = skipped === undefined ? anyone : without(skipped);
        return together[thread]!.pick(context) === alone.pick(context);
      });
    }),
    { numRuns: 200 },
  );
  t.end();
});

await t.test('a change of weights or members goes on where the turns were, whoever hears of it first', t => {
  fc.assert(
    fc.property(fc.array(weightLists, { minLength: 2, maxLength: 4 }), whoseTurn, (lists, threads) => {
      const turns = sharedTurns();
      let together: (Strategy | undefined)[] = [undefined, undefined, undefined, undefined];
      let alone: Strategy | undefined;
      return lists.every((weights, change) => {
        const all = fakes(...weights);
        const order = [0, 1, 2, 3].map(i => (i + change) % 4);
        const next = [...together];
        for (const thread of order) next[thread] = over(turns, all, together[thread]);
        together = next;
        // One that goes on alone forgets who has left; here they are remembered for a while.
        alone = over(turnsLike(turns), all);
        return threads.every(thread => together[thread]!.pick(anyone)!.id === alone!.pick(anyone)!.id);
      });
    }),
    { numRuns: 100 },
  );
  t.end();
});

/** The same turns, for somebody who plays them to the end by himself. */
function turnsLike(turns: Turns): Turns {
  const copy = sharedTurns();
  copy.head.set(turns.head);
  for (const [name, numbers] of Object.entries(turns.records)) {
    copy.records[name as keyof Turns['records']].set(numbers);
  }
  return copy;
}

await t.test('a thread that has not heard of a change yet spoils nothing', t => {
  const turns = sharedTurns();
  const before = fakes(1, 1, 1);
  const [fast, slow] = [over(turns, before), over(turns, before)];
  tally(10, () => fast.pick(anyone));
  const after = fakes(4, 1, 1, 2);
  const changed = over(turns, after, fast);
  const picks = tally(800, i => (i % 2 === 0 ? changed : slow).pick(anyone));
  t.notOk(picks.has('none'));
  // Every other pick knows nothing of b3; the others are where their weights put them, as far as that leaves them.
  t.ok(picks.get('b0')! > 3 * picks.get('b1')!);
  const caughtUp = over(turns, after, slow);
  const exact = tally(800, i => (i % 2 === 0 ? changed : caughtUp).pick(anyone));
  for (const [id, share] of [
    ['b0', 400],
    ['b1', 100],
    ['b2', 100],
    ['b3', 200],
  ] as const) {
    t.ok(Math.abs(exact.get(id)! - share) <= 2, id);
  }
  t.end();
});

await t.test('a thread that begins later, or again, joins in where the others are', t => {
  const turns = sharedTurns();
  const all = fakes(3, 2, 2);
  const first = over(turns, all);
  const alone = over(undefined, all);
  for (let i = 0; i < 5; i += 1) t.equal(first.pick(anyone), alone.pick(anyone));
  const second = createRoundRobin(all, deps({ random: () => 0.9, turns }));
  for (let i = 0; i < 30; i += 1) t.equal((i % 3 === 0 ? first : second).pick(anyone), alone.pick(anyone));
  t.end();
});

await t.test('who was away for long begins anew; who was away for a moment goes on', t => {
  const turns = sharedTurns();
  const all = fakes(1, 1, 1, 1);
  let strategy = over(turns, all);
  const picks = (count: number): Map<string, number> => tally(count, () => strategy.pick(anyone));
  strategy = over(turns, all.slice(0, 3), strategy);
  picks(1000);
  strategy = over(turns, all, strategy);
  t.ok(picks(8).get('b3')! <= 3, 'it does not catch up');
  t.equal(picks(400).get('b3'), 100);
  t.end();
});

await t.test('what stands there of a thread that died half-way is put right', t => {
  const all = fakes(1, 2);
  for (const wrong of [NaN, Infinity, -Infinity, 1e300]) {
    const turns = sharedTurns();
    over(turns, all);
    turns.records.base[1] = wrong;
    const strategy = over(turns, all);
    const picks = tally(300, () => strategy.pick(anyone));
    t.ok(Math.abs(picks.get('b0')! - 100) <= 2, String(wrong));
  }
  t.end();
});

await t.test('nothing is left entered, also when a skip throws', t => {
  const turns = sharedTurns();
  const strategy = over(turns, fakes(1, 1));
  t.throws(() => {
    strategy.pick({
      ...anyone,
      skip: () => {
        throw new Error('a skip that fails');
      },
    });
  }, /a skip that fails/);
  t.not(strategy.pick(anyone), undefined);
  t.equal(turns.entered, 3);
  t.end();
});

await t.test('one that takes turns for itself again begins anew', t => {
  const all = fakes(1, 1, 1);
  const shared = over(sharedTurns(), all);
  shared.pick(anyone);
  const alone = over(undefined, all, shared);
  t.equal(alone.pick(anyone), over(undefined, all).pick(anyone));
  t.end();
});

await t.test('turns of one thread are given on to those that are there again, and to nobody else', t => {
  const all = fakes(1, 1);
  const turns = new LocalTurns(all);
  turns.records.base[1] = 7;
  const after = new LocalTurns([all[1]!, ...fakes(1, 1, 1).slice(2)], turns);
  t.equal(after.head, turns.head);
  t.same([...after.records.base], [7, 0]);
  t.end();
});
