/** Whatever befalls a cluster, sharing is no worse than local least connections. */
import { compare, type Compared } from '../../src/sim/comparison.ts';
import { ROWS } from '../../src/sim/table.ts';
import { TROUBLES } from '../../src/sim/trouble.ts';
import { LOOSE, SEEDS, SLACK } from './claims.ts';

/** Where there is much to be gained, what at most may be left of the distance to perfection. */
const LEAVES: Readonly<Record<string, number>> = { [ROWS.few.name]: 0.85, [ROWS.fewLong.name]: 0.8 };

const compared = new Map<string, readonly Compared[]>();
for (const [trouble, scenarioOf] of Object.entries(TROUBLES)) {
  compared.set(trouble, await compare('leastconn', scenarioOf, SEEDS));
}

// Only now: its async hooks would make every promise of the simulation twice as expensive.
const { default: t } = await import('tap');
for (const [trouble, rows] of compared) {
  void t.test(`no worse than local when ${trouble}`, async t => {
    for (const { row, local, shared, text } of rows) {
      t.ok(shared <= local + SLACK, text);
      const left = LEAVES[row.name];
      if (left !== undefined) t.ok(shared - 1 <= (left + LOOSE) * (local - 1), `${text}: clearly better`);
    }
  });
}
