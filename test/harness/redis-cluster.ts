/**
 * A Redis Cluster of three masters for a test: real processes that share the slots among them.
 */
import type { Redis } from 'ioredis';
import type { RedisConnection } from '../../src/control/mirror/redis-connection.ts';
import { startRedisServer, type RedisServer, type Teardown } from './redis-server.ts';
import { pause } from './until.ts';

export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  readonly connection: RedisConnection;
  /** The node that has a key's slot. */
  ownerOf(key: string): Promise<RedisServer>;
}

const SLOTS = 16_384;

/** Resolves once all agree that all slots are served. */
export async function startRedisCluster(t: Teardown): Promise<RedisCluster> {
  const args = [
    '--cluster-enabled',
    'yes',
    '--cluster-node-timeout',
    '1000',
    '--cluster-allow-replica-migration',
    'no',
  ];
  const nodes = await Promise.all(
    [0, 1, 2].map(() => startRedisServer(t, { args: [...args, '--cluster-require-full-coverage', 'no'] })),
  );
  const [first] = nodes;
  if (first === undefined) throw new Error('no node');
  for (const [i, { admin }] of nodes.entries()) {
    const [from, to] = [i, i + 1].map(third => Math.floor((third * SLOTS) / nodes.length));
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String((to ?? SLOTS) - 1));
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    if (i > 0) await admin.call('CLUSTER', 'MEET', '127.0.0.1', String(first.port));
  }
  for (const { admin } of nodes) {
    while (!(await isWhole(admin))) await pause(50);
  }
  return {
    nodes,
    connection: {
      topology: { kind: 'cluster', nodes: nodes.map(({ port }) => ({ host: '127.0.0.1', port })) },
      database: 0,
    },
    ownerOf: async key => {
      const slot = Number(await first.admin.call('CLUSTER', 'KEYSLOT', key));
      const owner = nodes[Math.floor((slot * nodes.length) / SLOTS)];
      if (owner === undefined) throw new Error(`nobody serves ${key}`);
      return owner;
    },
  };
}

async function isWhole(admin: Redis): Promise<boolean> {
  const info = String(await admin.call('CLUSTER', 'INFO'));
  return (
    info.includes('cluster_state:ok') &&
    info.includes(`cluster_slots_assigned:${SLOTS}`) &&
    info.includes('cluster_known_nodes:3')
  );
}
