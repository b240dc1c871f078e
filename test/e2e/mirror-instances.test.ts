/**
 * What instances that share do to each other: one is killed, two have the same name, one is ended in order. Real
 * processes and a real Redis.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress } from '../../src/support/address.ts';
import { FULL, skipUnlessFull } from '../harness/full-load.ts';
import { untilShared } from '../harness/mirror-fault.ts';
import {
  lineAfter,
  PERIOD_MS,
  proveSharing,
  startInstance,
  totals,
  unbalance,
  untilCalm,
  untilTotalsAreTrue,
  wantLines,
  type Instance,
} from '../harness/mirrored-instances.ts';
import { ended } from '../harness/programs.ts';
import { skipWithoutRedis, startRedisServer, type RedisServer } from '../harness/redis-server.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { now, Traffic } from '../harness/traffic.ts';
import { startUpgradedLb4, untilGone } from '../harness/upgraded-lb4.ts';
import { pause, until } from '../harness/until.ts';

const loaded = loadLibc();
const withoutLibc = loaded.ok ? false : loaded.reason;

const timeout = 60_000;
t.setTimeout(timeout);
const skip = skipWithoutRedis();

/**
 * A lease is two periods long, and a sister finds it ended at her next exchange, within one more. She looks whether
 * it is time for it five times a period; the rest is for a busy machine.
 */
const GONE_WITHIN_MS = 3 * PERIOD_MS + PERIOD_MS / 5 + 200;

interface Rig {
  readonly redis: RedisServer;
  readonly traffic: Traffic;
  readonly start: (name: string) => Promise<Instance>;
}

async function createRig(t: Test): Promise<Rig> {
  const redis = await startRedisServer(t);
  const traffic = await Traffic.start(t, 3);
  const url = `redis://127.0.0.1:${redis.port}`;
  return {
    redis,
    traffic,
    start: name => startInstance(t, { name, redis: { url }, backends: traffic.backends }),
  };
}

void t.test(
  'a killed instance counts no more within three periods',
  { skip: skip || skipUnlessFull(), timeout },
  async t => {
    const { redis, traffic, start } = await createRig(t);
    const sister = await start('sister');
    // The second time under the name of the killed one.
    for (let round = 1; round <= 2; round += 1) {
      const victim = await start('victim');
      await untilShared([victim, sister]);
      await unbalance(traffic, victim);
      await untilTotalsAreTrue(redis.admin, traffic);
      await untilCalm(redis.admin);
      victim.child.kill('SIGKILL');
      const killedAt = now();
      await ended(victim.child);
      while ((await totals(redis.admin, traffic.backends)).some(count => count > 0)) await pause(5);
      const chosen = await traffic.hold(sister.target, 3);
      const tookMs = now() - killedAt;
      t.ok(
        tookMs <= GONE_WITHIN_MS,
        `gone from Redis and from its sister's view after ${tookMs.toFixed(0)} ms`,
      );
      t.strictSame(chosen.toSorted(), [0, 1, 2], 'its sister spreads her sessions over all backends again');
      await wantLines(t, traffic, victim, ['mirrorShared']);
      await traffic.idle();
    }
    await wantLines(t, traffic, sister, ['mirrorShared']);
  },
);

void t.test(
  'of two instances with the same name one gives itself another one',
  { skip: skip || skipUnlessFull(), timeout },
  async t => {
    const { redis, traffic, start } = await createRig(t);
    const first = await start('twin');
    await untilShared([first]);
    const second = await start('twin');
    const renamed = await lineAfter(second, 0, 'mirrorRenamed');
    await untilShared([second]);
    t.match(renamed, { from: 'twin', to: /^twin-[0-9a-z]{4}$/ });
    await proveSharing(t, { redis: redis.admin, traffic }, first, second);
    if (FULL) await proveSharing(t, { redis: redis.admin, traffic }, second, first);
    await wantLines(t, traffic, first, ['mirrorShared']);
    await wantLines(t, traffic, second, ['mirrorLocal nameTaken', 'mirrorRenamed', 'mirrorShared']);
  },
);

void t.test('an instance that drains is counted until its end, and not after', { skip, timeout }, async t => {
  const { redis, traffic, start } = await createRig(t);
  const [leaving, staying] = await Promise.all([start('leaving'), start('staying')]);
  await untilShared([leaving, staying]);
  const empty = await unbalance(traffic, leaving);
  await untilTotalsAreTrue(redis.admin, traffic);
  await untilCalm(redis.admin);
  leaving.child.kill('SIGTERM');
  await leaving.line(({ event }) => event === 'drainStarted');
  await pause(5 * PERIOD_MS);
  t.strictSame(await traffic.hold(staying.target, 3), [empty, empty, empty], 'its sister goes by them');
  await untilTotalsAreTrue(redis.admin, traffic);
  await traffic.release();
  const { code } = await ended(leaving.child);
  const listed = await redis.admin.zrange('lb4:{default}:instances', '0', '-1');
  t.equal(code, 0);
  t.strictSame(listed, ['staying'], 'at its end it has taken itself out, before its lease would have');
  await wantLines(t, traffic, leaving, ['mirrorShared']);
  await wantLines(t, traffic, staying, ['mirrorShared']);
});

void t.test(
  'an upgrade: the successor has the name, and each session is counted once all the time',
  { skip: skip || withoutLibc, timeout },
  async t => {
    const redis = await startRedisServer(t);
    const traffic = await Traffic.start(t, 3);
    const url = `redis://127.0.0.1:${redis.port}`;
    const folder = temporaryFolder(t);
    writeFileSync(
      join(folder, 'lb4.json'),
      JSON.stringify({
        workers: 1,
        listeners: [{ name: 'in', bind: '127.0.0.1:0', upstream: 'default' }],
        upstreams: [
          {
            name: 'default',
            strategy: 'leastconn',
            health: 'off',
            backends: traffic.backends.map(formatAddress),
          },
        ],
        redis: { url, publish: `${PERIOD_MS}ms`, instance: 'web' },
      }),
    );
    const sister = await startInstance(t, { name: 'sister', redis: { url }, backends: traffic.backends });
    const lb4 = await startUpgradedLb4(t, ['-c', join(folder, 'lb4.json')]);
    const web = { kind: 'tcp', host: lb4.host, port: lb4.port } as const;
    await lb4.line(({ event }) => event === 'mirrorShared');
    await traffic.hold(web, 9);
    await untilTotalsAreTrue(redis.admin, traffic);
    const instances = (): Promise<string[]> => redis.admin.zrange('lb4:{default}:instances', '0', '-1');
    const most: number[] = [];
    const watching = { isOver: false };
    const watched = (async () => {
      while (!watching.isOver) {
        most.push((await totals(redis.admin, traffic.backends)).reduce((sum, count) => sum + count, 0));
        await pause(5);
      }
    })();
    await lb4.upgrade();
    await traffic.hold(web, 3);
    await untilTotalsAreTrue(redis.admin, traffic);
    watching.isOver = true;
    await watched;
    t.ok(Math.max(...most) <= 12, `none is counted twice: ${Math.max(...most)}`);
    t.match((await instances()).toSorted(), ['sister', 'web', /^web-[0-9a-z]{4}$/]);
    t.notOk(
      lb4.lines.some(({ event }) => event === 'mirrorRenamed'),
      'the successor was not renamed',
    );
    await traffic.release();
    await ended(lb4.child);
    await until('the predecessor is gone', async () => (await instances()).length === 2);
    t.same((await instances()).toSorted(), ['sister', 'web']);
    process.kill(lb4.current(), 'SIGTERM');
    await untilGone(lb4.current());
    t.equal(await sister.stop(), 0);
  },
);
