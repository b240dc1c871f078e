import t from 'tap';
import {
  eject,
  isRefutedByProbe,
  mayEject,
  NEVER_EJECTED,
  restore,
  toTrial,
  type Ejection,
} from '../../../../src/control/upstream/ejection.ts';
import type { BackendConditions } from '../../../../src/control/upstream/eligibility.ts';
import { WELL } from '../../../harness/backend-conditions.ts';
import { fc } from '../../../harness/properties.ts';

const TIMES = { baseMs: 5_000, maxMs: 60_000 };
const RULES = { panicBelow: 50, backups: { which: 'all' } } as const;
/** Ejected over and over, each trial failing at once. */
function failing(times: number): Ejection[] {
  const all: Ejection[] = [];
  let last: Ejection = NEVER_EJECTED;
  let nowMs = 0;
  for (let i = 0; i < times; i++) {
    last = eject(toTrial(last), 'connect', TIMES, nowMs, 0);
    nowMs += last.forMs;
    all.push(last);
  }
  return all;
}

void t.test('each ejection in a row is twice as long, up to the longest', async t => {
  t.same(
    failing(7).map(({ forMs }) => forMs / 1000),
    [5, 10, 20, 40, 60, 60, 60],
  );
  t.same(
    failing(3).map(({ times }) => times),
    [1, 2, 3],
  );
});

void t.test('up to a tenth is added at random', async t => {
  t.equal(eject(NEVER_EJECTED, 'connect', TIMES, 100, 0.6).forMs, 5_300);
  t.match(eject(NEVER_EJECTED, 'connect', TIMES, 100, 0), { forMs: 5_000, phase: 'ejected' });
  fc.assert(
    fc.property(fc.nat(8), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (times, random) => {
      const { forMs } = eject({ ...NEVER_EJECTED, phase: 'trial', times }, 'connect', TIMES, 0, random);
      const exact = Math.min(5_000 * 2 ** times, 60_000);
      return forMs >= exact && forMs <= 1.1 * exact;
    }),
  );
});

void t.test('one that was back for the longest time begins anew; sooner it does not', async t => {
  const back = restore(failing(3)[2] ?? NEVER_EJECTED, 1_000);
  t.match(eject(back, 'connect', TIMES, 60_999, 0), { times: 4, forMs: 40_000 });
  t.match(eject(back, 'connect', TIMES, 61_000, 0), { times: 1, forMs: 5_000 });
});

void t.test('a passed check refutes failed connects; silence only if it exchanges bytes', async t => {
  const connect = eject(NEVER_EJECTED, 'connect', TIMES, 0, 0);
  const silence = eject(NEVER_EJECTED, 'earlyClose', TIMES, 0, 0);
  t.ok(isRefutedByProbe(connect, false));
  t.ok(isRefutedByProbe(toTrial(connect), false));
  t.notOk(isRefutedByProbe(silence, false));
  t.ok(isRefutedByProbe(silence, true));
  t.notOk(isRefutedByProbe(NEVER_EJECTED, true), 'there is nothing to refute');
});

void t.test('who may be ejected', async t => {
  const out = { ...WELL, ejection: 'ejected' } as const;
  const down = { ...WELL, healthy: false };
  const maint = { ...WELL, operator: 'maint' } as const;
  const may = (
    all: readonly BackendConditions[],
    maxPercent = 50,
    rules: Parameters<typeof mayEject>[2] = RULES,
  ) => mayEject(all, 0, rules, maxPercent);
  const never = { ...RULES, panicBelow: 0 } as const;
  t.notOk(may([WELL], 100, { ...RULES, panicBelow: 'off' }), 'not the only one, however panic is set');
  t.ok(may([WELL, WELL]), 'one of two');
  t.notOk(may([WELL], 100, never), 'not the only one');
  t.notOk(may([WELL, WELL, WELL], 33), 'a third of three, rounded down, is none');
  t.ok(may([WELL, WELL, WELL], 34));
  t.notOk(may([WELL, WELL, out]), 'one of three is out already');
  t.notOk(may([WELL, WELL, { ...WELL, ejection: 'trial' }]), 'or on trial');
  t.ok(may([WELL, WELL, WELL, out]));
  t.notOk(may([WELL, down], 100, never), 'not the last one that gets sessions');
  t.notOk(may([WELL, maint], 100, never), 'nor beside one in maint');
  t.ok(may([WELL, { ...WELL, backup: true }]), 'but where a backup can stand in');
  t.notOk(may([WELL, down, WELL]), 'not where it would begin a panic');
  t.notOk(may([WELL, down, down, down]), 'not in panic');
  t.notOk(may([WELL, down, down, down, { ...WELL, backup: true }]), 'even where a backup would end it');
});
