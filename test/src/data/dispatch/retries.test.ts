import t from 'tap';
import type { Group } from '../../../../src/data/dispatch/candidate.ts';
import { MOST_TRIED, Retries } from '../../../../src/data/dispatch/retries.ts';
import type { ConnectSettings } from '../../../../src/model/upstream-plan.ts';
import { fc } from '../../../harness/properties.ts';

const SETTINGS: ConnectSettings = {
  timeout: 5_000,
  attempts: 2,
  retriesPerBackend: 1,
  retryDelay: 10,
  rounds: 3,
  backoff: 100,
  deadline: 0,
  retryBudget: { percent: 20, minPerSecond: 10 },
};
const never = () => 0;

void t.test('the same backend comes first, then others, then another round, then nothing', async t => {
  const retries = new Retries({ ...SETTINGS, rounds: 2 });
  t.same(retries.next('a', 'well', true), { where: 'sameBackend', afterMs: 10 });
  t.same(retries.next('a', 'well', true), { where: 'otherBackend', afterMs: 0 });
  t.ok(retries.hasTried('a'));
  t.same(retries.next('b', 'well', true), { where: 'sameBackend', afterMs: 10 });
  t.ok(retries.mayTry('well', true));
  retries.next('b', 'well', true);
  t.notOk(retries.mayTry('well', false), 'two were tried');
  t.same(retries.nextRound(never), { where: 'anyBackend', afterMs: 100 });
  t.notOk(retries.hasTried('a'), 'a new round begins with all backends');
  t.ok(retries.mayTry('well', true));
  t.equal(retries.nextRound(never), undefined);
});

void t.test('a backend that takes no sessions any more is not tried again', async t => {
  t.match(new Retries(SETTINGS).next('a', 'well', false), { where: 'otherBackend' });
});

void t.test('those that are well, that are not, and backups have a share of attempts each', async t => {
  const retries = new Retries(SETTINGS);
  retries.next('a', 'well', false);
  retries.next('b', 'well', false);
  t.same(
    (['well', 'reserve', 'notWell'] as const).map(group => retries.mayTry(group, true)),
    [false, true, true],
  );
  retries.next('c', 'reserve', false);
  retries.next('d', 'reserve', false);
  retries.next('e', 'notWell', false);
  retries.next('f', 'notWell', false);
  t.same(
    (['well', 'reserve', 'notWell'] as const).map(group => retries.mayTry(group, false)),
    [false, false, false],
  );
});

void t.test('without a limit all that are well may be tried, and three that are not and fail', async t => {
  const retries = new Retries({ ...SETTINGS, attempts: undefined, retriesPerBackend: 0 });
  for (const backend of ['a', 'b']) retries.next(backend, 'notWell', false);
  t.ok(retries.mayTry('notWell', true));
  retries.next('c', 'notWell', false);
  t.notOk(retries.mayTry('notWell', true));
  t.ok(retries.mayTry('notWell', false), 'one that has not failed may work');
  for (let tried = 3; tried < MOST_TRIED; tried++) {
    const group = tried % 2 === 0 ? 'well' : 'reserve';
    t.ok(retries.mayTry(group, true));
    retries.next(`b${tried}`, group, false);
  }
  t.notOk(retries.mayTry('well', false), 'but not for ever');
});

void t.test('a backend that a session leaves is not tried again, and takes no other one’s place', async t => {
  const retries = new Retries({ ...SETTINGS, attempts: 1 });
  retries.leave('a');
  t.ok(retries.hasTried('a'));
  t.ok(retries.mayTry('well', true));
});

void t.test('pauses between rounds double, with jitter, up to ten seconds', async t => {
  const retries = new Retries({ ...SETTINGS, rounds: 10, backoff: 1_000 });
  const pauses = Array.from({ length: 9 }, () => retries.nextRound(never)?.afterMs);
  t.same(pauses, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 10_000, 10_000]);
  t.equal(retries.nextRound(never), undefined);
  t.equal(new Retries(SETTINGS).nextRound(() => 0.5)?.afterMs, 125);
});

void t.test('there are never more attempts than the settings multiply to', async () => {
  fc.assert(
    fc.property(
      fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 1, max: 4 }),
      fc.infiniteStream(
        fc.record({ mayRetryHere: fc.boolean(), isFailing: fc.boolean(), group: fc.constantFrom(...GROUPS) }),
      ),
      (attempts, retriesPerBackend, rounds, steps) => {
        const retries = new Retries({ ...SETTINGS, attempts, retriesPerBackend, rounds });
        const most = Math.min(attempts === undefined ? MOST_TRIED : 3 * attempts, MOST_TRIED);
        let [made, backend] = [1, 0];
        let group: Group = 'well';
        for (const step of steps) {
          if (made > most * (1 + retriesPerBackend) * rounds) return false;
          if (retries.next(`b${backend}`, group, step.mayRetryHere).where !== 'sameBackend') {
            backend += 1;
            group = step.group;
            if (!retries.mayTry(group, step.isFailing) && retries.nextRound(never) === undefined) return true;
          }
          made += 1;
        }
        return false;
      },
    ),
  );
});

const GROUPS = ['well', 'reserve', 'notWell'] as const;
