/**
 * Two instances whose Redis is not to be had when they start, or does not let them in: they serve their clients, say
 * once why they share nothing, and share as soon as it can be had. Real processes throughout.
 */
import t, { type Test } from 'tap';
import { skipUnlessFull } from '../harness/full-load.ts';
import { startPair, survive, undisturbed, untilShared } from '../harness/mirror-fault.ts';
import {
  lineAfter,
  PERIOD_MS,
  proveSharing,
  startInstance,
  wantLines,
  type Instance,
} from '../harness/mirrored-instances.ts';
import { skipWithoutRedis, startRedisServer, type RedisServer } from '../harness/redis-server.ts';
import { now, Traffic } from '../harness/traffic.ts';
import { pause } from '../harness/until.ts';

const timeout = 120_000;
t.setTimeout(timeout);
const skip = skipUnlessFull() || skipWithoutRedis();
const SECRET = 'hunter2';

async function startTwo(t: Test, traffic: Traffic, url: string): Promise<[Instance, Instance]> {
  const start = (name: string): Promise<Instance> =>
    startInstance(t, { name, redis: { url }, backends: traffic.backends });
  return Promise.all([start('a'), start('b')]);
}

/** Two that start without a Redis share once `heal` has been done, and have served their clients all the while. */
async function startsLocal(
  t: Test,
  redis: RedisServer,
  url: string,
  reason: string,
  heal: () => Promise<unknown>,
): Promise<void> {
  const traffic = await Traffic.start(t, 3);
  const [a, b] = await startTwo(t, traffic, url);
  const instances = [a, b];
  await Promise.all(instances.map(instance => lineAfter(instance, 0, 'mirrorLocal')));
  const beganAt = now();
  const targets = instances.map(({ target }) => target);
  await traffic.load({ targets, ratePerSecond: 50, lifeMs: 200, seed: 1 });
  await pause(15 * PERIOD_MS);
  const healedAt = now();
  await heal();
  await untilShared(instances);
  const tookMs = now() - healedAt;
  t.ok(tookMs < 6_000, `shared after ${tookMs.toFixed(0)} ms`);
  await pause(10 * PERIOD_MS);
  const sharedAt = now();
  await pause(10 * PERIOD_MS);
  const [without, shared] = [
    await traffic.quickness(beganAt, healedAt),
    await traffic.quickness(sharedAt, now()),
  ];
  await traffic.idle();
  undisturbed(t, shared, without);
  for (const instance of instances) {
    await wantLines(t, traffic, instance, [`mirrorLocal ${reason}`, 'mirrorShared']);
    t.notMatch(JSON.stringify(instance.lines), SECRET, 'and never a password');
  }
  await proveSharing(t, { redis: redis.admin, traffic }, a, b);
}

void t.test('not there at the start: shared within six seconds after it is', { skip, timeout }, async t => {
  const redis = await startRedisServer(t);
  await redis.kill();
  await startsLocal(t, redis, `redis://127.0.0.1:${redis.port}`, 'unreachable', () => redis.restart());
});

void t.test('a wrong password: shared within six seconds after it is right', { skip, timeout }, async t => {
  const redis = await startRedisServer(t, {
    args: ['--requirepass', 'another'],
    admin: { password: 'another' },
  });
  await startsLocal(t, redis, `redis://:${SECRET}@127.0.0.1:${redis.port}`, 'denied', () =>
    redis.admin.config('SET', 'requirepass', SECRET),
  );
});

void t.test('rights that are taken away', { skip, timeout }, async t => {
  const redis = await startRedisServer(t);
  const { admin } = redis;
  const user = (...rules: string[]): Promise<unknown> => admin.call('ACL', 'SETUSER', 'lb4', ...rules);
  await user('on', `>${SECRET}`, '~lb4:*', '&lb4:*', '+@all');
  const url = `redis://lb4:${SECRET}@127.0.0.1:${redis.port}`;
  const around = await startPair(t, admin, (name, backends) =>
    startInstance(t, { name, redis: { url }, backends }),
  );
  const { instances } = around;
  const disconnect = (): Promise<unknown> => admin.call('CLIENT', 'KILL', 'USER', 'lb4');

  await t.test('a new password: nothing happens until they connect anew', async t => {
    await survive(t, around, {
      reason: undefined,
      begin: () => user('resetpass', '>another'),
      end: async () => undefined,
      healsWithinMs: 0,
    });
    await survive(t, around, {
      reason: 'denied',
      begin: disconnect,
      end: () => user('resetpass', `>${SECRET}`),
      healsWithinMs: 6_000,
    });
  });

  await t.test('no right to run scripts', t =>
    survive(t, around, {
      reason: 'denied',
      begin: () => user('-@all'),
      end: () => user('+@all'),
      healsWithinMs: 6_000,
    }),
  );

  for (const instance of instances) t.notMatch(JSON.stringify(instance.lines), SECRET, 'no password is said');
});
