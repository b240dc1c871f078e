/**
 * What stands in Redis: for people to look at, gone by itself, and right again after the clock has jumped.
 */
import t from 'tap';
import type { Change } from '../../../../src/control/mirror/exchange.ts';
import { changesChannel, exchangeKeys } from '../../../../src/control/mirror/exchange-keys.ts';
import { skipWithoutRedis, startRedisServer, type RedisServer } from '../../../harness/redis-server.ts';
import { shareOver } from '../../../harness/sharing-instance.ts';
import { pause, until } from '../../../harness/until.ts';

const skip = skipWithoutRedis();
const [, INSTANCES, , LOAD] = exchangeKeys('app', '');

async function load(redis: RedisServer): Promise<Record<string, number>> {
  const list = await redis.admin.zrange(LOAD, '0', '-1', 'WITHSCORES');
  return Object.fromEntries(list.flatMap((name, i) => (i % 2 === 0 ? [[name, Number(list[i + 1])]] : [])));
}

void t.test(
  'people see the totals in a sorted set: few changes at once, many within a second',
  { skip },
  async t => {
    const redis = await startRedisServer(t);
    const [a, b] = [shareOver(t, redis.connection), shareOver(t, redis.connection, { instance: 'b' })];
    const all = (count: number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`x:${i}`, count]));
    await a.say(all(0));
    await b.say({ 'x:0': 1, 'only-b:1': 0 });
    t.strictSame(await load(redis), { ...all(0), 'x:0': 1, 'only-b:1': 0 });
    await a.say({ ...all(0), 'x:0': 2, 'x:29': 7 });
    t.strictSame(await load(redis), { ...all(0), 'x:0': 3, 'x:29': 7, 'only-b:1': 0 });

    const since = performance.now();
    await a.say(all(9));
    const wanted = { ...all(9), 'x:0': 10, 'only-b:1': 0 };
    while (JSON.stringify(sorted(await load(redis))) !== JSON.stringify(sorted(wanted))) {
      await a.say(all(9));
      await pause(20);
      if (performance.now() - since > 3_000) break;
    }
    t.strictSame(await load(redis), wanted);
    await redis.admin.zadd(LOAD, 1, 'nobody:1');
    const spoiltAt = performance.now();
    while ('nobody:1' in (await load(redis)) && performance.now() - spoiltAt < 3_000) {
      await a.say(all(9));
      await pause(20);
    }
    t.strictSame(await load(redis), wanted, 'what does not fit is put right');
  },
);

void t.test('all keys expire when nobody is left', { skip }, async t => {
  const redis = await startRedisServer(t);
  await shareOver(t, redis.connection, { leaseMs: 1_000 }).say({ 'x:1': 1 });
  await shareOver(t, redis.connection, { leaseMs: 700, instance: 'b' }).say({ 'x:1': 1 });
  const keys = await redis.admin.keys('*');
  t.equal(keys.length, 5);
  for (const key of keys) t.ok((await redis.admin.pttl(key)) > 0, key);
  const since = performance.now();
  while ((await redis.admin.keys('*')).length > 0 && performance.now() - since < 4_000) await pause(50);
  t.strictSame(await redis.admin.keys('*'), []);
});

void t.test(
  'an instance that goes leaves a trace that expires, and the last one nothing else',
  { skip },
  async t => {
    const redis = await startRedisServer(t);
    const a = shareOver(t, redis.connection);
    await a.say({ 'x:1': 1 });
    await a.exchange.withdraw({ upstream: 'app', instance: 'a', owner: "a's owner", number: 9 });
    const [own] = exchangeKeys('app', 'a');
    t.strictSame(await redis.admin.keys('*'), [own]);
    t.ok((await redis.admin.pttl(own)) > 0);
  },
);

void t.test('a clock that goes back keeps nobody alive', { skip }, async t => {
  const redis = await startRedisServer(t);
  const leaseMs = 600;
  const [a, b] = [
    shareOver(t, redis.connection, { leaseMs }),
    shareOver(t, redis.connection, { leaseMs, instance: 'b' }),
  ];
  await a.say({ 'x:1': 5 });
  // As if they had spoken an hour ahead: a dead one, and the one that goes on.
  const anHour = 3_600_000;
  await b.say({ 'x:1': 1 });
  for (const instance of ['a', 'b']) {
    const [own] = exchangeKeys('app', instance);
    await redis.admin.zincrby(INSTANCES, anHour, instance);
    await redis.admin.pexpire(own, anHour);
  }
  for (const key of [INSTANCES, LOAD]) await redis.admin.pexpire(key, anHour);

  t.match(await b.say({ 'x:1': 1 }), { totals: new Map([['x:1', 6]]), others: ['a'], ageMs: 0 });
  for (const instance of ['a', 'b']) {
    const [own] = exchangeKeys('app', instance);
    t.ok((await redis.admin.pttl(own)) <= leaseMs, instance);
  }
  await pause(leaseMs / 2);
  await b.say({ 'x:1': 1 });
  await pause(leaseMs / 2 + 50);
  t.match(await b.say({ 'x:1': 1 }), { totals: new Map([['x:1', 1]]), others: [] });
});

void t.test('a clock that goes forward ends all leases, and all publish anew', { skip }, async t => {
  const redis = await startRedisServer(t);
  const [a, b] = [shareOver(t, redis.connection), shareOver(t, redis.connection, { instance: 'b' })];
  await a.say({ 'x:1': 5 });
  await b.say({ 'x:1': 1 });
  for (const key of await redis.admin.keys('*')) await redis.admin.pexpire(key, 1);
  await pause(10);
  t.match(await a.say({ 'x:1': 5 }), { wasUnknown: true, totals: new Map([['x:1', 5]]) });
  t.match(await b.say({ 'x:1': 1 }), { wasUnknown: true, totals: new Map([['x:1', 6]]) });
});

void t.test(
  'what others write on the channel is not believed, and a lost subscription is renewed',
  { skip },
  async t => {
    const redis = await startRedisServer(t);
    const [a, b] = [shareOver(t, redis.connection), shareOver(t, redis.connection, { instance: 'b' })];
    const heard: Change[] = [];
    a.exchange.onChange(change => void heard.push(change));
    await a.say({ 'x:1': 1 });
    const channel = changesChannel('app');
    const subscribed = async (): Promise<void> => {
      while ((await redis.admin.publish(channel, '{}')) < 2) await pause(5);
    };
    await b.say({ 'x:1': 0 });
    await subscribed();
    for (const garbage of [
      '',
      'null',
      '[]',
      '{"version":1}',
      '{"instance":"b","version":"1","deltas":{"x:1":0.5}}',
    ]) {
      await redis.admin.publish(channel, garbage);
    }
    await b.say({ 'x:1': 2 });
    await until('the change is heard', () => heard.length > 0);
    t.match(heard, [{ instance: 'b', deltas: new Map([['x:1', 2]]) }]);

    await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await subscribed();
    await b.say({ 'x:1': 1 });
    await until('the next change is heard', () => heard.length > 1);
    t.match(heard[1], { deltas: new Map([['x:1', -1]]) });
  },
);

function sorted(record: Record<string, number>): unknown {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}
