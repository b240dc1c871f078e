/**
 * What is wrong with a Redis is said with one word, hurts nobody else, and is over when it is over.
 */
import { createServer } from 'node:net';
import t from 'tap';
import { exchangeKeys } from '../../../../src/control/mirror/exchange-keys.ts';
import { freePort } from '../../../harness/programs.ts';
import { skipWithoutRedis, startRedisServer } from '../../../harness/redis-server.ts';
import { shareOver } from '../../../harness/sharing-instance.ts';
import { pause, until } from '../../../harness/until.ts';

const PASSWORD = 's3cret-Of-Redis';

const skip = skipWithoutRedis();

void t.test('a Redis that is not there is unreachable, and used once it is', { skip }, async t => {
  const redis = await startRedisServer(t);
  await redis.kill();
  const a = shareOver(t, redis.connection);
  const failure = await a.failure();
  t.match(failure, { name: 'ExchangeError', reason: 'unreachable', message: /ECONNREFUSED/ });
  let ready = 0;
  a.exchange.onReady(() => (ready += 1));
  await redis.restart();
  await until('the connection is there', () => ready > 0);
  t.equal(await a.trouble(), 'fine');
});

void t.test('a Redis that is killed is unreachable at once, and used once it is back', { skip }, async t => {
  const redis = await startRedisServer(t);
  const a = shareOver(t, redis.connection);
  t.match(await a.say({ 'x:1': 1 }), { wasUnknown: true });
  await redis.kill();
  await a.untilTrouble('unreachable');
  const before = performance.now();
  for (let i = 0; i < 50; i++) t.equal(await a.trouble(), 'unreachable');
  t.ok(performance.now() - before < 2_000, 'nobody waits for a connection that is not there');
  let ready = 0;
  a.exchange.onReady(() => (ready += 1));
  await redis.restart();
  await until('the connection is back', () => ready > 0);
  t.match(await a.say({ 'x:1': 1 }), { wasUnknown: true });
  t.match(await a.say({ 'x:1': 1 }), { wasUnknown: false });
});

void t.test('a host that answers nothing is a timeout', async t => {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer(socket => sockets.add(socket.on('error', () => undefined)));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const port = await freePort();
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  const node = { host: '127.0.0.1', port };
  const a = shareOver(t, { topology: { kind: 'single', node }, database: 0 }, { timeoutMs: 100 });
  for (let i = 0; i < 4; i++) t.equal(await a.trouble(), 'timeout');
});

void t.test('a name that stands for nothing is unreachable', async t => {
  const node = { host: 'no-such-host.invalid', port: await freePort() };
  const a = shareOver(t, { topology: { kind: 'single', node }, database: 0 }, { timeoutMs: 3_000 });
  t.match(await a.failure(), { reason: 'unreachable', message: /^Redis cannot be reached \([A-Z_]+\)$/ });
});

void t.test(
  'a wrong password, a missing one and an ACL are denied, and nothing is given away',
  { skip },
  async t => {
    const redis = await startRedisServer(t, {
      args: ['--requirepass', PASSWORD],
      admin: { password: PASSWORD },
      connection: { password: PASSWORD },
    });
    await redis.admin.acl(
      'SETUSER',
      'reader',
      'on',
      `>${PASSWORD}`,
      '~*',
      '+@read',
      '+hello',
      '+evalsha',
      '+eval',
    );
    await redis.admin.acl('SETUSER', 'elsewhere', 'on', `>${PASSWORD}`, '~other:*', '+@all');
    await redis.admin.acl(
      'SETUSER',
      'lb4',
      'on',
      `>${PASSWORD}`,
      'resetchannels',
      '~lb4:*',
      '+@all',
      '-info',
    );

    t.equal(await shareOver(t, redis.connection).trouble(), 'fine');
    t.equal(
      await shareOver(t, { ...redis.connection, username: 'lb4' }, { instance: 'b' }).trouble(),
      'fine',
      'a user without INFO and without channels shares all the same',
    );
    const { topology } = redis.connection;
    for (const [what, login] of Object.entries({
      'a wrong password': { password: `wrong-${PASSWORD}` },
      'no password': {},
      'an unknown user': { username: 'nobody', password: PASSWORD },
      'a user who may only read': { username: 'reader', password: PASSWORD },
      'a user of other keys': { username: 'elsewhere', password: PASSWORD },
    })) {
      const c = shareOver(t, { topology, database: 0, ...login }, { instance: 'c' });
      for (let i = 0; i < 3; i++) {
        const failure = await c.failure();
        t.equal(failure?.reason, 'denied', `${what}: ${String(failure?.message)}`);
        t.notMatch(`${String(failure?.stack)} ${JSON.stringify(failure)}`, PASSWORD);
        t.notMatch(String(failure?.message), /redis\.call|wrong-|nobody/);
        t.equal(failure?.cause, undefined);
      }
    }
  },
);

void t.test('a login that is put right is used without a restart', { skip }, async t => {
  const redis = await startRedisServer(t);
  const a = shareOver(t, { ...redis.connection, username: 'late', password: PASSWORD });
  t.equal(await a.trouble(), 'denied');
  await redis.admin.acl('SETUSER', 'late', 'on', `>${PASSWORD}`, '~*', '&*', '+@all');
  await a.untilTrouble('fine');
  await redis.admin.acl('DELUSER', 'late');
  await a.untilTrouble('denied');
});

void t.test('the database that was asked for is the one that is used, or none', { skip }, async t => {
  const redis = await startRedisServer(t);
  t.equal(await shareOver(t, { ...redis.connection, database: 3 }).trouble(), 'fine');
  t.match(await redis.admin.info('keyspace'), /db3:keys=4/);
  const failing = shareOver(t, { ...redis.connection, database: 99 });
  for (let i = 0; i < 5; i++) t.match(await failing.failure(), { reason: 'error', message: /database/ });
  t.notMatch(await redis.admin.info('keyspace'), /db0/);
});

void t.test(
  'a key of another type harms its own upstream only, and nothing of that changes',
  { skip },
  async t => {
    const redis = await startRedisServer(t);
    const [a, b] = [shareOver(t, redis.connection), shareOver(t, redis.connection, { instance: 'b' })];
    for (const [i, key] of [...exchangeKeys('app', 'a').entries()]) {
      await redis.admin.flushall();
      await a.say({ 'x:1': 1 });
      await b.say({ 'x:1': 2 });
      await redis.admin.del(key);
      await redis.admin.lpush(key, 'mine');
      // What people look at is looked after once a second.
      await a.untilTrouble('wrongType');
      t.match(await a.failure(), { reason: 'wrongType', message: /holds something else/ }, key);
      const before = await everything();
      if (i > 0) t.equal(await b.trouble(), 'wrongType');
      if (i > 0) t.strictSame(await everything(), before, 'nothing was written');
      t.equal(await a.trouble('other'), 'fine');
      await redis.admin.del(key);
      t.equal(await a.trouble(), 'fine');
    }

    async function everything(): Promise<unknown> {
      const keys = (await redis.admin.keys('lb4:{app}*')).sort();
      return Promise.all(keys.map(async key => [key, await redis.admin.dump(key)]));
    }
  },
);

void t.test('without memory nothing is published and everybody may leave', { skip }, async t => {
  const redis = await startRedisServer(t);
  const [a, b] = [shareOver(t, redis.connection), shareOver(t, redis.connection, { instance: 'b' })];
  await a.say({ 'x:1': 1 });
  await b.say({ 'x:1': 5 });
  await redis.admin.config('SET', 'maxmemory', '1');
  t.match(await a.failure(), { reason: 'outOfMemory', message: /maxmemory/ });
  await b.exchange.withdraw({ upstream: 'app', instance: 'b', owner: "b's owner", number: 100 });
  await redis.admin.config('SET', 'maxmemory', '0');
  t.match(await a.say({ 'x:1': 1 }), { others: [], totals: new Map([['x:1', 1]]) });
});

void t.test('a replica is read-only until it is made a master', { skip }, async t => {
  const [master, redis] = [await startRedisServer(t), await startRedisServer(t)];
  const a = shareOver(t, redis.connection);
  t.equal(await a.trouble(), 'fine');
  await redis.admin.replicaof('127.0.0.1', master.port);
  await a.untilTrouble('readOnly');
  t.match(
    await a.failure(),
    { reason: 'readOnly', message: /replica/ },
    'and stays so while it connects anew',
  );
  await redis.admin.replicaof('NO', 'ONE');
  await a.untilTrouble('fine');
});

void t.test('a Redis that loads its data says so, and is used once it has', { skip }, async t => {
  const redis = await startRedisServer(t);
  for (let i = 0; i < 300; i++) await redis.admin.set(`key-${i}`, 'x'.repeat(1000));
  await redis.admin.save();
  const a = shareOver(t, redis.connection);
  const back = redis.restart(['--key-load-delay', '3000', '--loading-process-events-interval-bytes', '1024']);
  await a.untilTrouble('loading');
  t.match(await a.failure(), { reason: 'loading', message: /loading/ });
  await back;
  await a.untilTrouble('fine');
});

void t.test('a frozen Redis costs each caller its timeout, and nothing piles up', { skip }, async t => {
  const redis = await startRedisServer(t);
  const a = shareOver(t, redis.connection, { timeoutMs: 100 });
  t.equal(await a.trouble(), 'fine');
  redis.freeze();
  const since = performance.now();
  let calls = 0;
  while (performance.now() - since < 2_000) {
    const start = performance.now();
    const trouble = await a.trouble();
    const took = performance.now() - start;
    t.equal(trouble, 'timeout');
    t.ok(took < 1_000, `${took} ms`);
    calls += 1;
    // As its caller does, which waits for its next period.
    if (took < 50) await pause(20);
  }
  redis.thaw();
  await a.untilTrouble('fine');
  const [, late = 0] = /cmdstat_evalsha:calls=(\d+)/.exec(await redis.admin.info('commandstats')) ?? [];
  t.ok(Number(late) < 6, `${late} of ${calls} publications were still under way`);
  const clients = String(await redis.admin.client('LIST'))
    .trim()
    .split('\n');
  t.ok(clients.length <= 4, `${clients.length} connections`);
});

void t.test('a script that Redis has forgotten is sent again', { skip }, async t => {
  const redis = await startRedisServer(t);
  const a = shareOver(t, redis.connection);
  for (let i = 0; i < 3; i++) {
    t.equal(await a.trouble(), 'fine');
    t.equal(await a.trouble(), 'fine');
    await redis.admin.script('FLUSH');
  }
});

void t.test('a Redis with too many clients is unreachable, until there is room', { skip }, async t => {
  const redis = await startRedisServer(t, { args: ['--maxclients', '1'] });
  const a = shareOver(t, redis.connection);
  await a.untilTrouble('unreachable');
  await redis.admin.config('SET', 'maxclients', '10');
  await a.untilTrouble('fine');
});
