/** What docs/many-instances.md tells people to type does what it says, with a real Redis. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Change } from '../../src/control/mirror/exchange.ts';
import { changesChannel } from '../../src/control/mirror/exchange-keys.ts';
import { skipWithoutRedis, startRedisServer } from '../harness/redis-server.ts';
import { shareOver } from '../harness/sharing-instance.ts';
import { pause, until } from '../harness/until.ts';

const document = readFileSync('docs/many-instances.md', 'utf8');
const skip = skipWithoutRedis();

void t.test('a user with the rights that it names can do everything, and nothing else', { skip }, async t => {
  const redis = await startRedisServer(t);
  const [line = ''] = document.match(/^ACL SETUSER .*$/m) ?? [];
  const [command = '', ...words] = line.replace('>PASSWORD', '>secret').split(' ');
  await redis.admin.call(command, ...words);
  const login = { ...redis.connection, username: 'lb4', password: 'secret' };
  const [a, b] = [shareOver(t, login, { leaseMs: 200 }), shareOver(t, login, { instance: 'b' })];
  const heard: Change[] = [];
  b.exchange.onChange(change => void heard.push(change));
  await a.say({ 'x:1': 1 });
  await b.say({ 'x:1': 1 });
  while ((await redis.admin.publish(changesChannel('app'), '{}')) < 2) await pause(5);
  await a.say({ 'x:1': 2 });
  t.match(await a.say({ 'x:1': 3 }), { totals: new Map([['x:1', 4]]) });
  await until('b hears both changes', () => heard.length === 2);
  await pause(250);
  t.match(await b.say({ 'x:1': 1 }), { totals: new Map([['x:1', 1]]), others: [] }, 'a is gone');
  await b.exchange.withdraw({ upstream: 'app', instance: 'b', owner: "b's owner", number: 9 });
  b.exchange.close();
  t.strictSame(await redis.admin.call('ACL', 'LOG'), [], 'nothing was refused');

  const other = redis.admin.duplicate({ username: 'lb4', password: 'secret', enableReadyCheck: false });
  t.teardown(() => other.disconnect());
  await t.rejects(other.flushall(), /NOPERM/);
  await t.rejects(other.hget('another', 'x'), /NOPERM/);
});

void t.test('people can read the totals with the command that it shows', { skip }, async t => {
  const redis = await startRedisServer(t);
  const [, key = '', ...range] = document.match(/redis-cli ZRANGE '([^']+)' (\S+) (\S+) WITHSCORES/) ?? [];
  const a = shareOver(t, redis.connection);
  await a.say({ '10.0.0.1:5432': 5, '10.0.0.2:5432': 8 }, 'replicas');
  const shown = await redis.admin.call('ZRANGE', key.replace('NAME', 'replicas'), ...range, 'WITHSCORES');
  // Pairs in the newer protocol, in turn in the older one.
  t.strictSame([shown].flat(2).map(String), ['10.0.0.1:5432', '5', '10.0.0.2:5432', '8']);
});
