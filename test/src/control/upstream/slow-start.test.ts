import t from 'tap';
import {
  rampPermille,
  scaleMaxSessions,
  scaleWeights,
  untilNextStep,
  WHOLE,
} from '../../../../src/control/upstream/slow-start.ts';
import { fc } from '../../../harness/properties.ts';

const whole = (weight: number) => ({ weight, permille: WHOLE, percent: 100 });

void t.test('the ramp begins at 10 %, goes up in 20 steps and ends with everything', async t => {
  t.equal(rampPermille(0, 20_000), 100);
  t.equal(rampPermille(999, 20_000), 100);
  t.equal(rampPermille(1_000, 20_000), 145);
  t.equal(rampPermille(19_999, 20_000), 955);
  t.equal(rampPermille(20_000, 20_000), WHOLE);
  t.equal(untilNextStep(0, 20_000), 1_000);
  t.equal(untilNextStep(1_250, 20_000), 750);
  t.equal(untilNextStep(20_000, 20_000), 0);
});

void t.test('a backend never has more than the straight line from 10 % to 100 % allows', async () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1.2, noNaN: true }),
      fc.integer({ min: 10, max: 3_600_000 }),
      (at, total) => {
        const line = 100 + 900 * at;
        const permille = rampPermille(at * total, total);
        return permille <= line + 1e-6 && permille >= Math.min(line - 45 - 1e-6, WHOLE);
      },
    ),
  );
});

void t.test('weights stay as configured while nothing scales them', async t => {
  t.same(scaleWeights([whole(4), whole(2), whole(0)]), [4, 2, 0]);
  t.same(scaleWeights([]), []);
});

void t.test('a part of a weight is made whole by one factor for all', async t => {
  t.same(scaleWeights([whole(1), { ...whole(1), permille: 100 }]), [10, 1]);
  t.same(scaleWeights([whole(2), { ...whole(3), permille: 145 }]), [400, 87]);
  t.same(scaleWeights([whole(1), { ...whole(1), percent: 75 }]), [4, 3]);
  t.same(scaleWeights([whole(1), { ...whole(1), percent: 200 }]), [1, 2]);
  t.same(scaleWeights([whole(1), { ...whole(1), percent: 0 }]), [1, 0]);
  t.same(scaleWeights([{ ...whole(1), percent: 0 }]), [0]);
});

void t.test('weights are whole, in proportion, and above 0 where they were', async () => {
  const share = fc.record({
    weight: fc.integer({ min: 0, max: 256 }),
    permille: fc.integer({ min: 0, max: 20 }).map(step => 100 + 45 * step),
    percent: fc.integer({ min: 0, max: 300 }),
  });
  fc.assert(
    fc.property(fc.array(share, { minLength: 1, maxLength: 20 }), shares => {
      const scaled = scaleWeights(shares);
      const exact = shares.map(({ weight, permille, percent }) => weight * permille * percent);
      const most = Math.max(...exact);
      return scaled.every((weight, i) => {
        const expected = exact[i] ?? 0;
        if (!Number.isSafeInteger(weight) || weight > 100_000 || weight > 0 !== expected > 0) return false;
        return most === 0 || Math.abs(weight / Math.max(...scaled) - expected / most) < 1.1e-5;
      });
    }),
  );
});

void t.test('a limit of sessions is scaled down, and never to none', async t => {
  t.equal(scaleMaxSessions(500, 145), 72);
  t.equal(scaleMaxSessions(5, 100), 1);
  t.equal(scaleMaxSessions(500, WHOLE), 500);
  t.equal(scaleMaxSessions(undefined, 100), undefined);
});
