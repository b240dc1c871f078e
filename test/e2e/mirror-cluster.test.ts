/**
 * Two instances that share through a Redis Cluster, as the command line has it; clients come while the master that has
 * the counts is away, and notice nothing. Real processes throughout.
 */
import t from 'tap';
import { skipUnlessFull } from '../harness/full-load.ts';
import { startPair, survive } from '../harness/mirror-fault.ts';
import { proveSharing, startByFlags } from '../harness/mirrored-instances.ts';
import { startRedisCluster } from '../harness/redis-cluster.ts';
import { skipWithoutRedis } from '../harness/redis-server.ts';

const timeout = 120_000;
t.setTimeout(timeout);
const skip = skipUnlessFull() || skipWithoutRedis();

void t.test('through a Redis Cluster', { skip, timeout }, async t => {
  const cluster = await startRedisCluster(t);
  const { topology } = cluster.connection;
  if (topology.kind !== 'cluster') throw new Error('no Cluster');
  const nodes = topology.nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  const owner = await cluster.ownerOf('lb4:{default}:load');
  const around = await startPair(t, owner.admin, (name, backends) =>
    startByFlags(t, { name, redis: `redis+cluster://${nodes}`, backends }),
  );
  const [a, b] = around.instances;
  await proveSharing(t, around, a, b);

  await t.test('the master that has the counts is killed, and started again', t =>
    survive(t, around, {
      reason: 'unreachable',
      begin: () => owner.kill(),
      end: () => owner.restart(),
      healsWithinMs: 10_000,
    }),
  );
});
