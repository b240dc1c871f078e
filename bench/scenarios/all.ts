/**
 * Every scenario of `npm run bench`, with its size: the full one and the quick one.
 */
import { runAb } from '../load/ab.ts';
import { runConnections } from '../load/connect-client.ts';
import type { Children } from '../processes/children.ts';
import { createBulk } from './bulk.ts';
import { createConnect } from './connect.ts';
import { createIdle } from './idle.ts';
import type { Scenario } from './scenario.ts';
import { createSmall } from './small.ts';

export const SCENARIO_NAMES = ['small', 'bulk', 'connect', 'idle'] as const;

export type ScenarioName = (typeof SCENARIO_NAMES)[number];

export interface ScenarioDeps {
  readonly children: Children;
  readonly quick: boolean;
  /** False: new connections are made by a client in this process. */
  readonly hasAb: boolean;
}

/** The scenarios asked for, in the table's order. */
export function createScenarios(names: readonly ScenarioName[], deps: ScenarioDeps): Scenario[] {
  const { children, quick, hasAb } = deps;
  const factories: Record<ScenarioName, () => Scenario> = {
    small: () =>
      createSmall({ connections: 100, warmUpMs: quick ? 600 : 1_000, measureMs: quick ? 1_000 : 2_000 }),
    bulk: () => createBulk({ connections: 16, warmUpMs: quick ? 200 : 400, measureMs: quick ? 800 : 1_500 }),
    connect: () =>
      createConnect({
        concurrency: 100,
        warmUpRequests: quick ? 1_000 : 3_000,
        requests: quick ? 3_000 : 8_000,
        clientName: hasAb ? 'ab' : 'own client (no ab here)',
        client: hasAb ? load => runAb(load, children) : runConnections,
      }),
    idle: () => createIdle({ sessions: 2_000, warmUpSessions: quick ? 1_000 : 2_000 }),
  };
  return SCENARIO_NAMES.filter(name => names.includes(name)).map(name => factories[name]());
}
