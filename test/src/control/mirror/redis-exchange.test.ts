/**
 * The exchange over a real Redis keeps the contract.
 */
import t from 'tap';
import { createRedisExchange } from '../../../../src/control/mirror/redis-exchange.ts';
import { REDIS_DEPS } from '../../../harness/redis-deps.ts';
import { exchangeContract } from '../../../contracts/exchange.ts';
import { skipWithoutRedis, startRedisServer } from '../../../harness/redis-server.ts';
import { pause } from '../../../harness/until.ts';

void t.test('the exchange over Redis keeps the contract', { skip: skipWithoutRedis() }, async t => {
  const redis = await startRedisServer(t);
  await exchangeContract(t, () => ({
    connect: () => createRedisExchange(redis.connection, { timeoutMs: 2000 }, REDIS_DEPS),
    pass: pause,
    flush: async () => {
      await redis.admin.flushall();
    },
  }));
});
