import t from 'tap';
import { createPowerOfTwo } from '../../strategies/power-of-two.ts';
import { strategyContract } from '../contracts/strategy.ts';
import { anyone, deps, draws, equals, fake, fakes, seeded, sharedFake, tally, worstError } from './fakes.ts';

await strategyContract(t, 'p2c', createPowerOfTwo);

await t.test('keeps the less loaded of the two it drew, even if a third is idle', t => {
  const three = [fake('busy', 1, 8), fake('calm', 1, 2), fake('idle', 1, 0)];
  const strategy = createPowerOfTwo(three, deps({ random: draws(0, 0, 0.4, 0) }));
  t.equal(strategy.pick(anyone)?.id, 'calm');
  t.equal(strategy.pick(anyone)?.id, 'calm', 'in either order');
  t.end();
});

await t.test('a tie keeps the first draw', t => {
  const strategy = createPowerOfTwo(equals(3), deps({ random: draws(0.9, 0, 0, 0.9) }));
  t.equal(strategy.pick(anyone)?.id, 'b2');
  t.equal(strategy.pick(anyone)?.id, 'b0');
  t.end();
});

await t.test('compares sessions per weight, the one to be placed counted in', t => {
  const two = [fake('light', 1, 1), fake('heavy', 4, 6)];
  t.equal(createPowerOfTwo(two, deps({ random: draws(0, 0) })).pick(anyone)?.id, 'heavy', '7/4 < 2/1');
  two[1]!.sessions = 8;
  t.equal(createPowerOfTwo(two, deps({ random: draws(0, 0) })).pick(anyone)?.id, 'light', '9/4 > 2/1');
  t.end();
});

await t.test("counts the others' sessions as far as they can be believed, once it has heard of them", t => {
  const two = [sharedFake('ours', 1, 3, 0), sharedFake('theirs', 1, 0, 8)];
  const strategy = createPowerOfTwo(two, deps({ random: draws(...Array.from({ length: 10 }, () => 0)) }));
  t.equal(strategy.pick(anyone)?.id, 'theirs', 'nothing heard: 0 < 3');
  strategy.heard?.(2);
  t.equal(strategy.pick(anyone)?.id, 'ours', 'in full: 3 < 8');
  strategy.heard?.(4);
  t.equal(strategy.pick(anyone)?.id, 'ours', 'half: 3 < 4');
  strategy.heard?.(8);
  t.equal(strategy.pick(anyone)?.id, 'theirs', 'a quarter: 2 < 3');
  strategy.heard?.(0);
  t.equal(strategy.pick(anyone)?.id, 'ours', 'and in full again');
  t.end();
});

await t.test('idle equals get even shares: N=100,000 over 8, ε=4 %', t => {
  const strategy = createPowerOfTwo(equals(8), deps({ random: seeded(2) }));
  const picks = tally(100_000, () => strategy.pick(anyone));
  t.ok(
    worstError(picks, Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`b${String(i)}`, 1 / 8]))) <
      0.04,
  );
  t.end();
});

await t.test('live sessions settle at the weights, even with one heavy among many: ε=5 %', t => {
  const all = fakes(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10);
  const random = seeded(3);
  const strategy = createPowerOfTwo(all, deps({ random }));
  const sessions: typeof all = [];
  for (let i = 0; i < 100_000; i += 1) {
    const picked = strategy.pick(anyone) as (typeof all)[number];
    picked.sessions += 1;
    if (sessions.length < 2000) sessions.push(picked);
    else {
      const index = Math.floor(random() * sessions.length);
      sessions[index]!.sessions -= 1;
      sessions[index] = picked;
    }
  }
  for (const { id, weight, sessions: live } of all) t.ok(Math.abs(live / (100 * weight) - 1) < 0.05, id);
  t.end();
});
