/** What `leastconn` gains by sharing, `p2c` and `ewma` gain too; and they lose nothing where nothing is to be had. */
import { compare } from '../../src/sim/comparison.ts';
import { scenarioOf } from '../../src/sim/table.ts';
import { LOOSE, SEEDS, SLACK } from './claims.ts';

const compared = {
  p2c: await compare('p2c', scenarioOf, SEEDS),
  ewma: await compare('ewma', scenarioOf, SEEDS),
};

// Only now: its async hooks would make every promise of the simulation twice as expensive.
const { default: t } = await import('tap');
for (const [strategy, rows] of Object.entries(compared)) {
  void t.test(`${strategy} is no worse for sharing, and better with few sessions`, async t => {
    for (const { row, local, shared, text } of rows) {
      t.ok(shared <= local + SLACK, text);
      if (row.isSparse) t.ok(shared - 1 <= (0.8 + LOOSE) * (local - 1), `${text}: clearly better`);
    }
  });
}
