/**
 * Troubles of real clusters, over the rows of the table: unequal traffic, unequal weights, clients that all come back
 * at once, instances that are killed and started again.
 *
 * Place: tests check that lb4 is no worse than local in each.
 */
import type { Cluster, Scenario } from './cluster.ts';
import { scenarioOf, type Row } from './table.ts';

/** All clients come back within this time. */
const BURST_MS = 100;

export const TROUBLES: Readonly<Record<string, (row: Row) => Scenario>> = {
  'one instance gets four fifths of the clients'(row) {
    const others = row.instances - 1;
    const shares = Array.from({ length: row.instances }, (_, instance) => (instance === 0 ? 4 * others : 1));
    return { ...scenarioOf(row), shares };
  },
  'the weights are unequal'(row) {
    const backends = Array.from({ length: row.backends }, (_, backend) => [1, 2, 3, 5][backend % 4] ?? 1);
    return { ...scenarioOf(row), backends };
  },
  'all clients reconnect at once, again and again'(row) {
    return {
      ...scenarioOf(row),
      disturb: repeatedly(row.meanLifeMs, cluster => cluster.reconnectAll(BURST_MS)),
    };
  },
  'instances are killed and come back one after the other'(row) {
    let next = 0;
    const disturb = repeatedly(row.meanLifeMs, (cluster, everyMs) => {
      const instance = next % row.instances;
      next += 1;
      cluster.kill(instance, BURST_MS);
      cluster.clock.setTimer(() => cluster.join(instance), everyMs / 2);
    });
    return { ...scenarioOf(row), disturb };
  },
};

function repeatedly(everyMs: number, act: (cluster: Cluster, everyMs: number) => void) {
  return (cluster: Cluster): void => {
    const next = (): void => {
      act(cluster, everyMs);
      cluster.clock.setTimer(next, everyMs);
    };
    cluster.clock.setTimer(next, everyMs);
  };
}
