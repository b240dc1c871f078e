/**
 * One strategy with and without the mirror, in all clusters of the table.
 *
 * Place: for questions that the table does not answer.
 */
import type { StrategyName } from '../../strategies/index.ts';
import type { Scenario } from './cluster.ts';
import { mirrored } from './mirror-knowledge.ts';
import { imbalance, LOCAL_WAYS, ROWS, type Row } from './table.ts';

/** Old news, for lb4: its period is 250 ms unless configured. */
const PERIOD_MS = 1_000;

export interface Compared {
  readonly row: Row;
  readonly local: number;
  readonly shared: number;
  /** The other three in words. */
  readonly text: string;
}

/** Runs each row as `scenarioOf` builds it, half as long as for the table. */
export async function compare(
  strategy: StrategyName,
  scenarioOf: (row: Row) => Scenario,
  seeds: number,
): Promise<readonly Compared[]> {
  const compared: Compared[] = [];
  for (const row of Object.values(ROWS)) {
    const scenario = scenarioOf({ ...row, lives: row.lives / 2 });
    const local = await imbalance(scenario, { ...LOCAL_WAYS.localLeastconn, strategy }, 0, seeds);
    const shared = await imbalance(scenario, { strategy, know: mirrored }, PERIOD_MS, seeds);
    const text = `${row.name}: ${shared.toFixed(3)}, local ${local.toFixed(3)}`;
    compared.push({ row, local, shared, text });
  }
  return compared;
}
