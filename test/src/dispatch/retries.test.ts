import fc from 'fast-check';
import t from 'tap';
import { Retries } from '../../../src/dispatch/retries.ts';
import type { ConnectSettings } from '../../../src/dispatch/upstream-runtime.ts';

const SETTINGS: ConnectSettings = {
  timeoutMs: 5_000,
  attempts: 2,
  retriesPerBackend: 1,
  retryDelayMs: 10,
  rounds: 3,
  backoffMs: 100,
  deadlineMs: 0,
  retryBudget: { percent: 20, minPerSecond: 10 },
};
const never = () => 0;

void t.test('the same backend comes first, then others, then another round, then nothing', async t => {
  const retries = new Retries({ ...SETTINGS, rounds: 2 });
  t.same(retries.next('a', true, never), { where: 'sameBackend', afterMs: 10 });
  t.same(retries.next('a', true, never), { where: 'otherBackend', afterMs: 0 });
  t.same([...retries.tried], ['a']);
  t.same(retries.next('b', true, never), { where: 'sameBackend', afterMs: 10 });
  t.same(retries.next('b', true, never), { where: 'anyBackend', afterMs: 100 });
  t.same([...retries.tried], [], 'a new round begins with all backends');
  retries.next('b', true, never);
  retries.next('b', true, never);
  retries.next('a', true, never);
  t.equal(retries.next('a', true, never), undefined);
});

void t.test('a backend that takes no sessions any more is not tried again', async t => {
  t.match(new Retries(SETTINGS).next('a', false, never), { where: 'otherBackend' });
});

void t.test('pauses between rounds double, with jitter, up to ten seconds', async t => {
  const retries = new Retries({ ...SETTINGS, rounds: 10, backoffMs: 1_000 });
  const pauses = Array.from({ length: 9 }, () => retries.nextRound(never)?.afterMs);
  t.same(pauses, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 10_000, 10_000]);
  t.equal(retries.nextRound(never), undefined);
  t.equal(new Retries(SETTINGS).nextRound(() => 0.5)?.afterMs, 125);
});

void t.test('there are never more attempts than the settings multiply to', async () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.record({ mayRetryHere: fc.boolean(), backends: fc.integer({ min: 1, max: 6 }) }), {
        maxLength: 200,
      }),
      (attempts, retriesPerBackend, rounds, steps) => {
        const retries = new Retries({ ...SETTINGS, attempts, retriesPerBackend, rounds });
        let made = 1;
        let backend = 'b0';
        for (const { mayRetryHere, backends } of steps) {
          const step = retries.next(backend, mayRetryHere, never);
          if (step === undefined) return made <= attempts * (1 + retriesPerBackend) * rounds;
          if (step.where !== 'sameBackend') {
            const open = Array.from({ length: backends }, (_, i) => `b${i}`).find(
              id => !retries.tried.has(id),
            );
            if (open === undefined) {
              if (retries.nextRound(never) === undefined) return true;
              continue;
            }
            backend = open;
          }
          made += 1;
        }
        return made <= attempts * (1 + retriesPerBackend) * rounds;
      },
    ),
  );
});
