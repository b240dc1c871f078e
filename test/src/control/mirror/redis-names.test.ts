/**
 * Every name on the way to Redis goes through lb4's own lookup: the configured ones, and those that Sentinels and the
 * nodes of a Cluster pass on. No other resolver knows the names of this test.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import type { RedisConnection } from '../../../../src/control/mirror/redis-connection.ts';
import { NameError } from '../../../../src/names/names.ts';
import { netLookup } from '../../../../src/names/net-lookup.ts';
import { ended, freePort } from '../../../harness/programs.ts';
import { launch, skipWithoutRedis, startRedisServer, untilItAnswers } from '../../../harness/redis-server.ts';
import { shareOver } from '../../../harness/sharing-instance.ts';

const skip = skipWithoutRedis();

/** Shares over this connection, with names that all stand for 127.0.0.1. */
function shareByName(t: Test, connection: RedisConnection) {
  const asked = new Set<string>();
  const lookup = netLookup(async host => {
    asked.add(host);
    return { addresses: ['127.0.0.1'] };
  });
  return { asked, instance: shareOver(t, connection, { lookup }) };
}

void t.test('one Redis', { skip }, async t => {
  const { port } = await startRedisServer(t);
  const topology = { kind: 'single', node: { host: 'redis.test', port } } as const;
  const { asked, instance } = shareByName(t, { topology, database: 0 });
  t.equal(await instance.trouble(), 'fine');
  t.same([...asked], ['redis.test']);
});

void t.test('Sentinels, and the master that they name', { skip }, async t => {
  const master = await startRedisServer(t);
  const port = await freePort();
  const file = join(master.folder, 'sentinel.conf');
  writeFileSync(
    file,
    `port ${port}\nbind 127.0.0.1\ndir ${master.folder}\nsentinel resolve-hostnames yes\n` +
      `sentinel announce-hostnames yes\nsentinel monitor shared localhost ${master.port} 1\n`,
  );
  const child = launch([file, '--sentinel']);
  const admin = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 20, maxRetriesPerRequest: null });
  admin.on('error', () => undefined);
  t.teardown(async () => {
    admin.disconnect();
    child.kill('SIGKILL');
    await ended(child);
  });
  await untilItAnswers(admin, child);
  const topology = { kind: 'sentinel', nodes: [{ host: 'sentinel.test', port }], master: 'shared' } as const;
  const { asked, instance } = shareByName(t, { topology, database: 0 });
  t.equal(await instance.trouble(), 'fine');
  t.same([...asked].sort(), ['localhost', 'sentinel.test']);
});

void t.test('the nodes of a Cluster', { skip }, async t => {
  const args = ['--cluster-enabled', 'yes', '--cluster-announce-hostname', 'node.test'];
  const node = await startRedisServer(t, {
    args: [...args, '--cluster-preferred-endpoint-type', 'hostname'],
  });
  await node.admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  const nodes = [{ host: 'redis.test', port: node.port }];
  const { asked, instance } = shareByName(t, { topology: { kind: 'cluster', nodes }, database: 0 });
  await instance.untilTrouble('fine');
  t.same([...asked].sort(), ['node.test', 'redis.test']);
});

void t.test('a name that hangs or is not there makes Redis unreachable, and holds nothing up', async t => {
  for (const topology of [
    { kind: 'single', node: { host: 'redis.test', port: 6379 } },
    { kind: 'sentinel', nodes: [{ host: 'redis.test', port: 26_379 }], master: 'shared' },
    { kind: 'cluster', nodes: [{ host: 'redis.test', port: 6379 }] },
  ] as const) {
    const missing = netLookup(host => Promise.reject(new NameError(host, 'ENOTFOUND')));
    t.equal(await shareOver(t, { topology, database: 0 }, { lookup: missing }).trouble(), 'unreachable');
    const hanging = netLookup(() => new Promise(() => undefined));
    const instance = shareOver(t, { topology, database: 0 }, { lookup: hanging, timeoutMs: 100 });
    t.match(await instance.trouble(), /^(timeout|unreachable)$/, topology.kind);
  }
});
