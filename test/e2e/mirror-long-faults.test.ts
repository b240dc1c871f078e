/**
 * Faults of a Redis that take their time, with two instances that share through it: as in mirror-faults.test.ts,
 * clients notice nothing.
 */
import t from 'tap';
import { skipUnlessFull } from '../harness/full-load.ts';
import { startPair, survive } from '../harness/mirror-fault.ts';
import { startInstance } from '../harness/mirrored-instances.ts';
import { freePort } from '../harness/programs.ts';
import { skipWithoutRedis, startRedisServer } from '../harness/redis-server.ts';

const timeout = 120_000;
t.setTimeout(timeout);

void t.test(
  'long faults of a single Redis',
  { skip: skipUnlessFull() || skipWithoutRedis(), timeout },
  async t => {
    const redis = await startRedisServer(t, { args: ['--enable-debug-command', 'yes'] });
    const { admin } = redis;
    const url = `redis://127.0.0.1:${redis.port}`;
    const around = await startPair(t, admin, (name, backends) =>
      startInstance(t, { name, redis: { url }, backends }),
    );

    await t.test('frozen for sixty periods', t =>
      survive(t, around, {
        reason: 'timeout',
        begin: async () => redis.freeze(),
        end: async () => redis.thaw(),
        periods: 60,
        healsWithinMs: 6_000,
      }),
    );

    await t.test('made a replica, and a master again', async t => {
      const nobody = await freePort();
      await survive(t, around, {
        reason: 'readOnly',
        begin: () => admin.replicaof('127.0.0.1', nobody),
        end: () => admin.replicaof('NO', 'ONE'),
        healsWithinMs: 6_000,
      });
    });

    await t.test('loading its data for three seconds', async t => {
      await admin.config('SET', 'key-load-delay', '1000');
      await admin.config('SET', 'loading-process-events-interval-bytes', '1024');
      for (let i = 0; i < 3_000; i += 1) void admin.set(`ballast:${i}`, 'x'.repeat(100));
      await admin.ping();
      let loaded: Promise<unknown> = Promise.resolve();
      await survive(t, around, {
        reason: 'loading',
        orReason: 'timeout',
        begin: async () => {
          loaded = admin.debug('RELOAD');
        },
        end: () => loaded,
        healsWithinMs: 6_000,
      });
    });
  },
);
