/**
 * A master, a replica and three Sentinels that watch them, for a test: real processes that fail over in a second or two.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { RedisConnection } from '../../src/control/mirror/redis-connection.ts';
import { ended, freePort } from './programs.ts';
import { launch, startRedisServer, untilItAnswers, type RedisServer, type Teardown } from './redis-server.ts';
import { pause } from './until.ts';

const MASTER = 'shared';

export interface RedisSentinel {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly connection: RedisConnection;
  /** The port of the master as a Sentinel knows it. */
  masterPort(): Promise<number>;
  /** Has the Sentinels make the replica the master although the master is well. */
  failOver(): Promise<void>;
}

/** Resolves once all know of each other. */
export async function startRedisSentinel(t: Teardown): Promise<RedisSentinel> {
  const [master, replica] = [await startRedisServer(t), await startRedisServer(t)];
  await replica.admin.replicaof('127.0.0.1', master.port);
  const nodes: { host: string; port: number }[] = [];
  const sentinels: Redis[] = [];
  for (let i = 0; i < 3; i++) {
    const port = await freePort();
    const file = join(master.folder, `sentinel-${i}.conf`);
    writeFileSync(
      file,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${master.folder}`,
        `sentinel monitor ${MASTER} 127.0.0.1 ${master.port} 2`,
        `sentinel down-after-milliseconds ${MASTER} 500`,
        `sentinel failover-timeout ${MASTER} 3000`,
        '',
      ].join('\n'),
    );
    const child = launch([file, '--sentinel']);
    const client = new Redis({
      host: '127.0.0.1',
      port,
      retryStrategy: () => 20,
      maxRetriesPerRequest: null,
    });
    client.on('error', () => undefined);
    t.teardown(async () => {
      client.disconnect();
      child.kill('SIGKILL');
      await ended(child);
    });
    await untilItAnswers(client, child);
    nodes.push({ host: '127.0.0.1', port });
    sentinels.push(client);
  }

  const ask = async (index: number, ...words: string[]): Promise<unknown> =>
    sentinels[index]?.call('SENTINEL', ...words);
  const listed = async (index: number, what: string): Promise<number> => {
    const list = await ask(index, what, MASTER);
    return Array.isArray(list) ? list.length : 0;
  };
  for (let i = 0; i < 3; i++) {
    while ((await listed(i, 'SENTINELS')) < 2 || (await listed(i, 'REPLICAS')) < 1) await pause(50);
  }
  return {
    master,
    replica,
    connection: { topology: { kind: 'sentinel', nodes, master: MASTER }, database: 0 },
    masterPort: async () => {
      const address = await ask(0, 'GET-MASTER-ADDR-BY-NAME', MASTER);
      return Array.isArray(address) ? Number(address[1]) : 0;
    },
    failOver: async () => {
      await ask(0, 'FAILOVER', MASTER);
    },
  };
}
