/**
 * Counts are shared over a Redis Cluster: all keys of an upstream on one node, changes told through any.
 */
import t from 'tap';
import type { Change } from '../../../../src/control/mirror/exchange.ts';
import { exchangeKeys } from '../../../../src/control/mirror/exchange-keys.ts';
import { startRedisCluster } from '../../../harness/redis-cluster.ts';
import { skipUnlessFull } from '../../../harness/full-load.ts';
import { skipWithoutRedis, startRedisServer } from '../../../harness/redis-server.ts';
import { shareOver } from '../../../harness/sharing-instance.ts';
import { pause } from '../../../harness/until.ts';

const skip = skipUnlessFull() || skipWithoutRedis();

void t.test('instances share over a Cluster, and a dead node costs its upstreams only', { skip }, async t => {
  const cluster = await startRedisCluster(t);
  const { nodes, connection } = cluster;
  const [a, b] = [shareOver(t, connection), shareOver(t, connection, { instance: 'b' })];
  const upstreams = ['app', 'db', 'mail', 'games', 'web', 'api'];
  const owners = new Map<string, number>();
  for (const upstream of upstreams) {
    await a.say({ 'x:1': 1, 'y:1': 0 }, upstream);
    t.match(await b.say({ 'x:1': 2, 'y:1': 0 }, upstream), { totals: new Map([['x:1', 3]]) }, upstream);
    const [own] = exchangeKeys(upstream, 'a');
    const owner = await cluster.ownerOf(own);
    t.equal(await owner.admin.exists(...exchangeKeys(upstream, 'a')), 4);
    owners.set(upstream, owner.port);
  }
  t.equal(new Set(owners.values()).size, nodes.length, 'all nodes are used');

  const heard: Change[] = [];
  b.exchange.onChange(change => void heard.push(change));
  for (let i = 0; heard.length === 0; i++) {
    await a.say({ 'x:1': 1 + (i % 2), 'y:1': 0 }, 'db');
    await pause(10);
  }
  t.match(heard[0], { upstream: 'db', instance: 'a' });

  const [dead] = nodes;
  await dead?.kill();
  const others = upstreams.filter(upstream => owners.get(upstream) !== dead?.port);
  const lost = upstreams.filter(upstream => !others.includes(upstream));
  for (let round = 0; round < 5; round++) {
    for (const upstream of lost) t.match(await a.trouble(upstream), /^(unreachable|cluster|timeout)$/);
    await pause(50);
  }
  for (const upstream of others) {
    for (let tries = 0; tries < 50 && (await a.trouble(upstream)) !== 'fine'; tries++) await pause(50);
    t.equal(await a.trouble(upstream), 'fine', `${upstream} is on another node`);
  }
});

void t.test('an upstream that no node serves fails, and is followed to where it goes', { skip }, async t => {
  const cluster = await startRedisCluster(t);
  const [own] = exchangeKeys('app', 'a');
  const old = await cluster.ownerOf(own);
  const next = cluster.nodes.find(node => node !== old);
  const slot = String(await old.admin.call('CLUSTER', 'KEYSLOT', own));
  const a = shareOver(t, cluster.connection);
  await a.untilTrouble('fine');
  await old.admin.flushall();
  for (const { admin } of cluster.nodes) await admin.call('CLUSTER', 'DELSLOTS', slot);
  t.match(await a.failure(), { reason: 'cluster', message: /down, or no node serves/ });
  await next?.admin.call('CLUSTER', 'ADDSLOTS', slot);
  await a.untilTrouble('fine');
  t.equal(await next?.admin.exists(own), 1);
});

void t.test('a Redis that is no Cluster is not taken for one, nor the other way round', { skip }, async t => {
  const redis = await startRedisServer(t);
  const node = { host: '127.0.0.1', port: redis.port };
  const a = shareOver(t, { topology: { kind: 'cluster', nodes: [node] }, database: 0 });
  t.match(await a.failure(), { reason: 'cluster', message: /not part of a Cluster/ });

  const { nodes } = await startRedisCluster(t);
  const reasons: string[] = [];
  for (const { connection } of nodes) reasons.push(await shareOver(t, connection).trouble());
  t.strictSame(reasons.sort(), ['cluster', 'cluster', 'fine']);
});
