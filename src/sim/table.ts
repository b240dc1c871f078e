/**
 * The table of docs/many-instances.md: four clusters, three ages of what is shared, several ways to place sessions.
 *
 * Place: tests check lb4 against it; scripts/plot-many-instances.ts writes it into the document.
 * Invariants: every figure is an average over stated seeds; in every column the same seed means the same clients.
 */
import { STRATEGIES, type StrategyName } from '../../strategies/index.ts';
import { Cluster, type CreateKnowledge, type Scenario } from './cluster.ts';
import { nothing, snapshotAndOwn, snapshotOnly } from './knowledge.ts';
import { mirrored, polled } from './mirror-knowledge.ts';

/** By then all sessions of the beginning have ended, but for a seventh. */
const LIVES_OF_WARM_UP = 2;

export interface Row {
  readonly name: string;
  readonly instances: number;
  readonly backends: number;
  readonly ratePerS: number;
  readonly meanLifeMs: number;
  /** The ages of what is shared: periods of the mirror, and of the common snapshot that it is compared with. */
  readonly periodsMs: readonly [number, number, number];
  /** The number of mean lives over which it is measured. */
  readonly lives: number;
  /** Few sessions per instance and backend: the case in which sharing should help. */
  readonly isSparse: boolean;
}

/** In the order of the table. */
export const ROWS = {
  manyShort: {
    ...{ name: 'many short sessions', instances: 8, backends: 20, ratePerS: 2000, meanLifeMs: 1_000 },
    ...{ periodsMs: [100, 500, 1_000], lives: 3, isSparse: false },
  },
  manyLong: {
    ...{ name: 'many long sessions', instances: 3, backends: 5, ratePerS: 20, meanLifeMs: 30_000 },
    ...{ periodsMs: [200, 1_000, 5_000], lives: 4, isSparse: false },
  },
  few: {
    ...{ name: 'few sessions, many instances', instances: 8, backends: 20, ratePerS: 2, meanLifeMs: 20_000 },
    ...{ periodsMs: [200, 1_000, 5_000], lives: 3, isSparse: true },
  },
  fewLong: {
    ...{ name: 'few long sessions', instances: 3, backends: 5, ratePerS: 0.5, meanLifeMs: 60_000 },
    ...{ periodsMs: [200, 1_000, 5_000], lives: 3, isSparse: true },
  },
} as const satisfies Record<string, Row>;

/** A way to place sessions: a strategy, and what it knows of other instances. */
export interface Way {
  readonly strategy: StrategyName;
  readonly know: (periodMs: number) => CreateKnowledge;
}

const alone = (): CreateKnowledge => nothing;

/** The ways that share nothing: the same for every period. */
export const LOCAL_WAYS = {
  random: { strategy: 'random', know: alone },
  localLeastconn: { strategy: 'leastconn', know: alone },
  localP2c: { strategy: 'p2c', know: alone },
} as const satisfies Record<string, Way>;

/** The ways that share, by the names of the table's columns. */
export const SHARED_WAYS = {
  sharedLeastconn: { strategy: 'leastconn', know: snapshotOnly },
  sharedP2c: { strategy: 'p2c', know: snapshotAndOwn },
  polled: { strategy: 'leastconn', know: polled },
  lb4: { strategy: 'leastconn', know: mirrored },
} as const satisfies Record<string, Way>;

/** A row as a scenario: as short as averages over 20 seeds allow, or `times` as long. */
export function scenarioOf({ instances, backends, ratePerS, meanLifeMs, lives }: Row, times = 1): Scenario {
  const warmUpMs = LIVES_OF_WARM_UP * meanLifeMs;
  const untilMs = warmUpMs + times * lives * meanLifeMs;
  const weights = Array.from({ length: backends }, () => 1);
  return { instances, backends: weights, ratePerS, meanLifeMs, warmUpMs, untilMs };
}

/** The average imbalance over the seeds 1 to `seeds`. */
export async function imbalance(
  scenario: Scenario,
  { strategy, know }: Way,
  periodMs: number,
  seeds: number,
): Promise<number> {
  let sum = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const run = await new Cluster(seed, scenario, STRATEGIES[strategy], know(periodMs)).run();
    sum += run.imbalance;
  }
  return sum / seeds;
}

/** One row's figures, by the names of the columns. */
export interface Figures {
  readonly local: Readonly<Record<keyof typeof LOCAL_WAYS, number>>;
  /** For each of the row's periods. */
  readonly shared: Readonly<Record<keyof typeof SHARED_WAYS, readonly number[]>>;
}

/** Runs a row, all columns of it. */
export async function figuresOf(row: Row, seeds: number, times = 1): Promise<Figures> {
  const scenario = scenarioOf(row, times);
  const local = async (way: Way): Promise<number> => imbalance(scenario, way, 0, seeds);
  const shared = async (way: Way): Promise<number[]> => {
    const figures: number[] = [];
    for (const periodMs of row.periodsMs) figures.push(await imbalance(scenario, way, periodMs, seeds));
    return figures;
  };
  return {
    local: {
      random: await local(LOCAL_WAYS.random),
      localLeastconn: await local(LOCAL_WAYS.localLeastconn),
      localP2c: await local(LOCAL_WAYS.localP2c),
    },
    shared: {
      sharedLeastconn: await shared(SHARED_WAYS.sharedLeastconn),
      sharedP2c: await shared(SHARED_WAYS.sharedP2c),
      polled: await shared(SHARED_WAYS.polled),
      lb4: await shared(SHARED_WAYS.lb4),
    },
  };
}
