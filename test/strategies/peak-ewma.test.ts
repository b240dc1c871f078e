import t from 'tap';
import { createPeakEwma } from '../../strategies/peak-ewma.ts';
import type { Strategy } from '../../strategies/strategy.ts';
import { strategyContract } from '../contracts/strategy.ts';
import { anyone, deps, equals, fake, fakes, seeded, sharedFake, tally } from './fakes.ts';
import { FakeClock } from '../harness/fake-clock.ts';
import type { FakeCandidate } from './fakes.ts';

await strategyContract(t, 'ewma', createPeakEwma);

/** The winner between two candidates; in either order of drawing, or the tie keeps the first drawn. */
function winner(strategy: Strategy): string {
  const seen = tally(40, () => strategy.pick(anyone));
  return seen.size === 1 ? [...seen.keys()].join() : 'tie';
}

function two(): { a: FakeCandidate; b: FakeCandidate; clock: FakeClock; strategy: Strategy } {
  const [a, b] = [fake('a'), fake('b')];
  const clock = new FakeClock();
  return { a, b, clock, strategy: createPeakEwma([a, b], deps({ now: clock.now })) };
}

await t.test('without samples it goes by sessions per weight', t => {
  const { a, b, strategy } = two();
  t.equal(winner(strategy), 'tie');
  a.sessions = 1;
  t.equal(winner(strategy), 'b');
  b.sessions = 5;
  t.equal(winner(strategy), 'a');
  t.end();
});

await t.test('connect time and sessions weigh against each other', t => {
  const { a, b, strategy } = two();
  strategy.connected?.(a, 10);
  strategy.connected?.(b, 40);
  t.equal(winner(strategy), 'a');
  a.sessions = 2;
  t.equal(winner(strategy), 'a', '30 < 40');
  a.sessions = 4;
  t.equal(winner(strategy), 'b', '50 > 40');
  t.end();
});

await t.test('weight divides the cost', t => {
  const light = fake('light', 1);
  const heavy = fake('heavy', 3);
  const strategy = createPeakEwma([light, heavy], deps());
  strategy.connected?.(light, 10);
  strategy.connected?.(heavy, 20);
  t.equal(winner(strategy), 'heavy', '20/3 < 10');
  strategy.connected?.(heavy, 40);
  t.equal(winner(strategy), 'light', '40/3 > 10');
  t.end();
});

await t.test("the others' sessions count as far as they can be believed, once it has heard of them", t => {
  const all = [sharedFake('near', 1, 0, 9), sharedFake('far', 1, 3, 0)];
  const strategy = createPeakEwma(all, deps());
  strategy.connected?.(all[0]!, 2);
  strategy.connected?.(all[1]!, 4);
  t.equal(winner(strategy), 'near', 'nothing heard: 2 < 16');
  strategy.heard?.(2);
  t.equal(winner(strategy), 'far', 'in full: 20 > 16');
  strategy.heard?.(6);
  t.equal(winner(strategy), 'near', 'a third: 8 < 16');
  t.equal(winner(createPeakEwma(all, deps(), strategy)), 'near', 'a rebuilt one has heard nothing yet');
  t.end();
});

await t.test('a slower sample counts at once, a faster one only with time', t => {
  const { a, b, clock, strategy } = two();
  strategy.connected?.(a, 100);
  strategy.connected?.(b, 20);
  strategy.connected?.(a, 2);
  t.equal(winner(strategy), 'b', 'one fast connect at the same moment proves nothing');
  clock.advance(30_000);
  strategy.connected?.(a, 2);
  strategy.connected?.(b, 20);
  t.equal(winner(strategy), 'a', '2 + 98·e^-3 = 6.9 < 20');
  strategy.connected?.(a, 300);
  t.equal(winner(strategy), 'b', 'one slow connect is enough');
  t.end();
});

await t.test('below a millisecond there is no difference', t => {
  const { a, b, strategy } = two();
  strategy.connected?.(a, 0);
  strategy.connected?.(b, 0.9);
  t.equal(winner(strategy), 'tie');
  t.end();
});

await t.test('a new backend competes on sessions alone: neither flooded nor starved', t => {
  for (const typicalMs of [0.2, 30, 900]) {
    const all = equals(9);
    const clock = new FakeClock();
    const now = clock.now;
    let strategy = createPeakEwma(all, deps({ now, random: seeded(1) }));
    for (let i = 0; i < 200; i += 1) {
      clock.advance(10);
      strategy.connected?.(all[i % 9]!, typicalMs);
    }
    for (const candidate of all) candidate.sessions = 100;
    const fresh = fake('fresh', 1, 100);
    const withFresh = [...all, fresh];
    strategy = createPeakEwma(withFresh, deps({ now, random: seeded(2) }), strategy);
    const share = tally(10_000, () => strategy.pick(anyone)).get('fresh')! / 10_000;
    t.ok(share > 0.08 && share < 0.12, `${String(share)} of the picks at ${String(typicalMs)} ms`);
  }
  t.end();
});

await t.test('a backend that was slow is tried again, with few sessions until it has answered', t => {
  const all = equals(5);
  const slow = all[0]!;
  const clock = new FakeClock();
  const strategy = createPeakEwma(all, deps({ now: clock.now, random: seeded(3) }));
  const usualMs = [1000, 1.6, 1.8, 2.2, 2.4];
  all.forEach((candidate, i) => strategy.connected?.(candidate, usualMs[i]!));
  for (let second = 0; second < 120; second += 1) {
    clock.advance(1000);
    for (const i of [1, 2, 3, 4]) strategy.connected?.(all[i]!, usualMs[i]!);
  }
  t.ok(tally(1000, () => strategy.pick(anyone)).has(slow.id), 'tried again');
  for (let i = 0; i < 100; i += 1) {
    const picked = strategy.pick(anyone) as FakeCandidate;
    picked.sessions += 1;
  }
  t.ok(slow.sessions >= 10 && slow.sessions <= 25, `${String(slow.sessions)} of 100 sessions, not all`);
  t.end();
});

await t.test('averages survive a rebuild by id, and go with their backend', t => {
  const { a, b, strategy } = two();
  strategy.connected?.(a, 50);
  strategy.connected?.(b, 5);
  const swapped = createPeakEwma([fake('b'), fake('a')], deps(), strategy);
  t.equal(winner(swapped), 'b');
  const alone = createPeakEwma([fake('b')], deps(), swapped);
  const again = createPeakEwma([fake('a'), fake('b')], deps(), alone);
  t.equal(winner(again), 'b', 'a is typical now: the first sample, 50, is what the group knows');
  t.equal(winner(createPeakEwma(fakes(1, 1), deps(), again)), 'tie');
  t.end();
});

await t.test('the time of a connect to a backend that has left tells of the group only', t => {
  const { b, clock, strategy } = two();
  strategy.connected?.(fake('left'), 80);
  strategy.connected?.(b, 20);
  t.equal(winner(strategy), 'b', 'a is unknown, so typical: 80');
  clock.advance(60_000);
  strategy.connected?.(fake('left'), 3);
  strategy.connected?.(b, 20);
  t.equal(winner(strategy), 'a', 'typical is about 3 now');
  t.end();
});
