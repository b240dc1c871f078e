/**
 * What is between two instances and their Redis: 500 ms of delay, and a partition that only one of them is behind.
 * Real processes, and a path that holds bytes up.
 */
import t from 'tap';
import { FaultyPath } from '../harness/faulty-path.ts';
import { skipUnlessFull } from '../harness/full-load.ts';
import { startPair, survive } from '../harness/mirror-fault.ts';
import { startInstance, totals } from '../harness/mirrored-instances.ts';
import { skipWithoutRedis, startRedisServer } from '../harness/redis-server.ts';

const timeout = 120_000;
t.setTimeout(timeout);
const skip = skipUnlessFull() || skipWithoutRedis();

void t.test('a bad way to Redis', { skip, timeout }, async t => {
  const redis = await startRedisServer(t);
  const [pathOfA, pathOfB] = [await FaultyPath.open(t, redis.port), await FaultyPath.open(t, redis.port)];
  const around = await startPair(t, redis.admin, (name, backends) => {
    const { port } = name === 'a' ? pathOfA : pathOfB;
    return startInstance(t, { name, redis: { url: `redis://127.0.0.1:${port}` }, backends });
  });
  const { traffic } = around;
  const [a] = around.instances;

  await t.test('500 ms slow, which is longer than an exchange may take: local as long as it lasts', t =>
    survive(t, around, {
      reason: 'timeout',
      begin: async () => {
        pathOfA.delay(250);
        pathOfB.delay(250);
      },
      end: async () => {
        pathOfA.delay(0);
        pathOfB.delay(0);
      },
      periods: 60,
      healsWithinMs: 6_000,
    }),
  );

  await t.test('20 ms slow: still shared', t =>
    survive(t, around, {
      reason: undefined,
      begin: async () => pathOfA.delay(10),
      end: async () => pathOfA.delay(0),
      healsWithinMs: 0,
    }),
  );

  await t.test('a partition: who is behind it goes by his own counts, and the others forget him', t =>
    survive(t, around, {
      reason: 'timeout',
      befalls: [a],
      begin: async () => pathOfA.cut(),
      end: async () => {
        t.strictSame(
          await redis.admin.zrange('lb4:{default}:instances', '0', '-1'),
          ['b'],
          'only one has a lease',
        );
        t.ok((await totals(redis.admin, traffic.backends)).every(count => count >= 0));
        pathOfA.mend();
      },
      periods: 60,
      healsWithinMs: 6_000,
    }),
  );
});
