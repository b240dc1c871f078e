/**
 * Counts are shared over whichever Redis the Sentinels call the master.
 */
import t from 'tap';
import { exchangeKeys } from '../../../../src/control/mirror/exchange-keys.ts';
import { freePort } from '../../../harness/programs.ts';
import { startRedisSentinel } from '../../../harness/redis-sentinel.ts';
import { skipUnlessFull } from '../../../harness/full-load.ts';
import { skipWithoutRedis, type RedisServer } from '../../../harness/redis-server.ts';
import { shareOver, type SharingInstance } from '../../../harness/sharing-instance.ts';
import { pause } from '../../../harness/until.ts';

const skip = skipUnlessFull() || skipWithoutRedis();

/** Has `instance` publish until it is in this Redis that it does. */
async function untilSharedOver(redis: RedisServer, ...instances: readonly SharingInstance[]): Promise<void> {
  const [, names] = exchangeKeys('app', '');
  await redis.admin.del(names);
  while ((await redis.admin.zcard(names)) < instances.length) {
    for (const instance of instances) await instance.trouble();
    await pause(20);
  }
}

void t.test('everybody follows a failover while the old master lives on', { skip }, async t => {
  const sentinel = await startRedisSentinel(t);
  const { master, replica, connection } = sentinel;
  const [a, b] = [shareOver(t, connection), shareOver(t, connection, { instance: 'b' })];
  t.match(await a.say({ 'x:1': 1 }), { kind: 'totals' });
  t.match(await b.say({ 'x:1': 2 }), { totals: new Map([['x:1', 3]]) });
  t.equal(await sentinel.masterPort(), master.port);

  await sentinel.failOver();
  while ((await replica.admin.role())[0] !== 'master') await pause(20);
  await untilSharedOver(replica, a, b);
  t.match(await b.say({ 'x:1': 2 }), { totals: new Map([['x:1', 3]]) });
});

void t.test("everybody follows a failover after the master's death", { skip }, async t => {
  const { master, replica, connection } = await startRedisSentinel(t);
  const [a, b] = [shareOver(t, connection), shareOver(t, connection, { instance: 'b' })];
  t.match(await a.say({ 'x:1': 1 }), { kind: 'totals' });
  t.match(await b.say({ 'x:1': 2 }), { totals: new Map([['x:1', 3]]) });
  await master.kill();
  await a.untilTrouble('unreachable');
  while ((await replica.admin.role())[0] !== 'master') await pause(20);
  await untilSharedOver(replica, a, b);
  t.match(await b.say({ 'x:1': 2 }), { totals: new Map([['x:1', 3]]) });
});

void t.test('without a Sentinel that knows the master there is nothing to share', { skip }, async t => {
  const node = { host: '127.0.0.1', port: await freePort() };
  const a = shareOver(t, { topology: { kind: 'sentinel', nodes: [node, node], master: 'app' }, database: 0 });
  for (let i = 0; i < 3; i++) t.match(await a.failure(), { reason: 'unreachable' });
});
