/**
 * What is claimed of each row of the table, as tests; one file per row calls this, so that they run side by side.
 *
 * The reference figures come from a simulation of the same clusters that was written without lb4's code: one run per
 * cell there, an average over `SEEDS` here.
 */
import { figuresOf, type Row } from '../../src/sim/table.ts';
import { LOOSE, SEEDS, SLACK } from './claims.ts';

/** By how much a cell may differ from the reference, in parts of it. */
const TOLERANCE = 0.07;

export interface Claims {
  /** The row's figures; where something is shared, for each of the row's periods. */
  readonly reference: {
    readonly random: number;
    readonly localLeastconn: number;
    readonly localP2c: number;
    readonly sharedLeastconn: readonly [number, number, number];
    readonly sharedP2c: readonly [number, number, number];
  };
  /** Tolerance for the shared minimum, where a run this short measures too few periods for it to settle. */
  readonly looseHerd?: number;
  /**
   * What at most is left of the distance between local least connections and perfection, for each period; absent
   * where nothing is to be gained.
   */
  readonly leaves?: { readonly polled: readonly number[]; readonly lb4: readonly number[] };
}

/** Runs the row, then tests what came out. */
export async function testRow(row: Row, { reference, looseHerd = TOLERANCE, leaves }: Claims): Promise<void> {
  const { local, shared } = await figuresOf(row, SEEDS);
  // Only now: its async hooks would make every promise of the simulation twice as expensive.
  const { default: t } = await import('tap');
  const at = (period: number): string => `at ${row.periodsMs[period] ?? NaN} ms`;

  void t.test(`${row.name}: the model reproduces what was measured without lb4`, async t => {
    const close = (figure: number, expected: number, tolerance: number, name: string): void => {
      const text = `${name}: ${figure.toFixed(3)}, reference ${expected}`;
      t.ok(Math.abs(figure / expected - 1) <= tolerance, text);
    };
    for (const name of ['random', 'localLeastconn', 'localP2c'] as const) {
      close(local[name], reference[name], TOLERANCE, name);
    }
    for (const name of ['sharedLeastconn', 'sharedP2c'] as const) {
      const tolerance = name === 'sharedLeastconn' ? looseHerd : TOLERANCE;
      for (const [i, figure] of shared[name].entries()) {
        close(figure, reference[name][i] ?? NaN, tolerance, `${name} ${at(i)}`);
      }
    }
  });

  void t.test(`${row.name}: sharing is no worse than the better of local and two choices`, async t => {
    for (const name of ['polled', 'lb4'] as const) {
      for (const [i, figure] of shared[name].entries()) {
        const [alone, p2c] = [local.localLeastconn, shared.sharedP2c[i] ?? NaN];
        const text = `${name} ${at(i)}: ${figure.toFixed(3)}`;
        const others = `${alone.toFixed(3)} and ${p2c.toFixed(3)}`;
        t.ok(figure <= Math.min(alone, p2c) + SLACK, `${text}, the better of ${others}`);
        const most = leaves?.[name][i];
        if (most === undefined) continue;
        const left = most + LOOSE;
        t.ok(figure - 1 <= left * (alone - 1), `${text} leaves at most ${left} of ${(alone - 1).toFixed(3)}`);
      }
    }
  });
}
