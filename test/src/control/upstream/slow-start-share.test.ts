/** What a recovering backend gets under least connections, over many runs of many clients. */
import t from 'tap';
import {
  simulateRecovery,
  type BackendLoad,
  type Placement,
  type Recovery,
} from '../../../../src/sim/slow-start.ts';

const SEEDS = Array.from({ length: 24 }, (_, i) => i + 1);
const SLOW_START_MS = 10_000;
const USUAL: Omit<Recovery, 'seed' | 'backends'> = {
  slowStartMs: SLOW_START_MS,
  sessions: 200,
  meanSessionMs: 5_000,
  fromMs: -500,
  untilMs: 11_000,
};
const FOUR: readonly BackendLoad[] = [{ weight: 1 }, { weight: 1 }, { weight: 1 }, { weight: 1 }];

/** The line that docs/failing-backends.md promises; how it is stepped is not this test's business. */
const rampAt = (ms: number): number => Math.min(0.1 + (0.9 * ms) / SLOW_START_MS, 1);

/**
 * How many sessions the recovering backend, number 0, may hold right after it got one: its ramp's part of what the
 * least loaded of the others with room for more holds per weight, and the one that it got; and no more than its
 * ramp's part of its own limit, but one in any case.
 */
function allowance(backends: readonly BackendLoad[], { atMs, live }: Placement): number {
  const ramp = rampAt(atMs);
  const loads = backends.flatMap(({ weight, maxSessions = Infinity }, i) =>
    i > 0 && (live[i] ?? 0) < maxSessions ? [(live[i] ?? 0) / weight] : [],
  );
  const { weight = 1, maxSessions = Infinity } = backends[0] ?? {};
  const ofOthers = Math.min(...loads) * weight * ramp + 1;
  return Math.min(ofOthers, Math.max(1, Math.floor(maxSessions * ramp)));
}

/** What the recovering backend got in each of the runs, and how often that was too much. */
function measure(backends: readonly BackendLoad[], usual: Partial<Recovery> = {}) {
  let [picks, beyond, tight, turnedAway] = [0, 0, 0, 0];
  const ramped: (readonly number[])[] = [];
  for (const seed of SEEDS) {
    const run = simulateRecovery({ ...USUAL, ...usual, seed, backends });
    turnedAway += run.turnedAway;
    ramped.push(run.rampedMs);
    for (const placement of run.placements) {
      if (placement.backend !== 0) continue;
      const excess = (placement.live[0] ?? 0) - allowance(backends, placement);
      picks += 1;
      // A whole number that rounding has put just above itself is none too many.
      if (excess > 1e-9) beyond += 1;
      else if (excess > -3) tight += 1;
    }
  }
  return { picks, beyond, tight, turnedAway, ramped };
}

const WEIGHTS = [{ weight: 2 }, { weight: 1 }, { weight: 3 }, { weight: 7 }];
/** Room for 215 in all, but not for 200 without the first: only its own limit holds off what the others cannot take. */
const LIMITS = [50, 55, 55, 55].map(maxSessions => ({ weight: 1, maxSessions }));

void t.test('a recovering backend under leastconn never gets more than its ramp allows', t => {
  const cases: Record<string, readonly BackendLoad[]> = {
    'equal weights': FOUR,
    'unequal weights': WEIGHTS,
    'limits that the others are at': LIMITS,
  };
  for (const [name, backends] of Object.entries(cases)) {
    const { picks, beyond, tight, turnedAway, ramped } = measure(backends);
    t.comment(
      `${name}: ${picks} sessions to the recovering backend, ${tight} of them within 3 of its allowance`,
    );
    t.equal(beyond, 0, name);
    t.ok(tight > picks / 4, 'it gets what it may have, too');
    t.same(new Set(ramped.map(String)), new Set([`0,${SLOW_START_MS}`]), 'one ramp a run, of the time set');
    t.equal(turnedAway > 0, backends === LIMITS, 'the others are full only where they have limits');
  }
  t.end();
});

void t.test('without slow start it gets far more than that, and by this measure', t => {
  for (const backends of [FOUR, WEIGHTS]) {
    const { picks, beyond, ramped } = measure(backends, { slowStartMs: 0 });
    t.ok(beyond > picks / 2, `${beyond} of ${picks}`);
    t.same(ramped.flat(), []);
  }
  t.end();
});

void t.test('when the ramp is over it holds as much as the others', t => {
  for (const seed of SEEDS.slice(0, 5)) {
    const { placements } = simulateRecovery({ ...USUAL, seed, backends: FOUR });
    const { live = [] } = placements.at(-1) ?? {};
    t.ok(Math.max(...live) - Math.min(...live) <= 3, live.join(' '));
  }
  t.end();
});

void t.test('the same seed gives the same run, and the same clients with and without a ramp', t => {
  const recovery: Recovery = { ...USUAL, seed: 7, backends: FOUR };
  const run = simulateRecovery(recovery);
  t.same(simulateRecovery(recovery), run);
  const times = ({ placements }: typeof run) => placements.map(({ atMs }) => atMs);
  t.same(times(simulateRecovery({ ...recovery, slowStartMs: 0 })), times(run));
  t.end();
});
