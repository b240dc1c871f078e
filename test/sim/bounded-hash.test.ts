/** What docs/strategies.md says of `balanceFactor`, on the model of clients that come back. */
import t from 'tap';
import { simulateHash, type HashRun } from '../../src/sim/bounded-hash.ts';
import { FULL } from '../harness/full-load.ts';

const SEEDS = FULL ? 10 : 3;

function runs(skew: number, balanceFactor?: number): HashRun {
  const all = Array.from({ length: SEEDS }, (_, i) =>
    simulateHash({
      ...{ seed: i + 1, backends: Array.from({ length: 10 }, () => 1), clients: 10_000, skew },
      ...{ sessions: 500, placements: 20_000 },
      ...(balanceFactor === undefined ? {} : { balanceFactor }),
    }),
  );
  const mean = (of: (run: HashRun) => number): number => all.reduce((sum, run) => sum + of(run), 0) / SEEDS;
  return {
    meanPeak: mean(({ meanPeak }) => meanPeak),
    worstPeak: Math.max(...all.map(({ worstPeak }) => worstPeak)),
    atHome: mean(({ atHome }) => atHome),
    beyond: mean(({ beyond }) => beyond),
  };
}

const SKEWED = 1.1;

void t.test('clients of unequal eagerness: the bound holds, and most sessions are at home', t => {
  const free = runs(SKEWED);
  t.ok(
    free.meanPeak > 1.8,
    `without a bound the busiest backend has ${free.meanPeak.toFixed(2)} × the average`,
  );
  t.equal(free.atHome, 1);
  for (const [factor, leastAtHome] of [
    [2, 0.95],
    [1.5, 0.88],
    [1.25, 0.8],
    [1.1, 0.7],
  ] as const) {
    const run = runs(SKEWED, factor);
    const text = `${factor}: ${run.meanPeak.toFixed(2)} × the average, ${(100 * run.atHome).toFixed(1)} % at home`;
    t.equal(run.beyond, 0, 'no placement brings a backend beyond its bound');
    t.ok(run.meanPeak <= factor + 0.02 && run.atHome >= leastAtHome, text);
  }
  t.end();
});

void t.test('clients that are alike hardly notice a bound of 1.25', t => {
  const { atHome, beyond } = runs(0, 1.25);
  t.ok(atHome > 0.98, `${(100 * atHome).toFixed(1)} % at home`);
  t.equal(beyond, 0);
  t.end();
});
