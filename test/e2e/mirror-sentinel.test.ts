/**
 * Two instances that share through a Redis with Sentinels, as the command line has it; clients come while the master
 * fails over, and notice nothing. Real processes throughout.
 */
import t, { type Test } from 'tap';
import { skipUnlessFull } from '../harness/full-load.ts';
import { startPair, underLoad, undisturbed, type Surroundings } from '../harness/mirror-fault.ts';
import { proveSharing, startByFlags, type Instance } from '../harness/mirrored-instances.ts';
import { startRedisSentinel, type RedisSentinel } from '../harness/redis-sentinel.ts';
import { skipWithoutRedis, type RedisServer } from '../harness/redis-server.ts';
import { now } from '../harness/traffic.ts';
import { pause } from '../harness/until.ts';

const timeout = 120_000;
t.setTimeout(timeout);
const skip = skipUnlessFull() || skipWithoutRedis();

/** What an instance may say of a failover; nothing, when it was over before the last news were too old. */
const MAY_SAY = /^(?:mirrorLocal (?:readOnly|unreachable|timeout|loading),mirrorShared)?$/;

/** Resolves once this Redis is the master, both publish to it, and neither has anything to complain of. */
async function untilBothShareOver({ admin }: RedisServer, instances: readonly Instance[]): Promise<void> {
  // The Sentinels take some seconds before they make a replica of an old master that lives on.
  const deadline = now() + 20_000;
  const whileNot = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await condition())) {
      if (now() > deadline) throw new Error('waited in vain until both share over the new master');
      await pause(20);
    }
  };
  await whileNot(async () => (await admin.role())[0] === 'master');
  // Who is in it so far, it was told by the old master.
  await admin.del('lb4:{default}:instances');
  await whileNot(async () => (await admin.zcard('lb4:{default}:instances')) === instances.length);
  await whileNot(() => instances.every(({ mirrorLines }) => mirrorLines().at(-1) === 'mirrorShared'));
}

async function survivesFailover(
  t: Test,
  { replica }: RedisSentinel,
  { traffic, instances }: Omit<Surroundings, 'redis'>,
  begin: () => Promise<unknown>,
): Promise<void> {
  const marks = instances.map(({ lines }) => lines.length);
  const { before, beganAt } = await underLoad({ traffic, instances });
  await begin();
  await untilBothShareOver(replica, instances);
  t.comment(`shared over the new master after ${(now() - beganAt).toFixed(0)} ms`);
  await pause(1_000);
  const during = await traffic.quickness(beganAt, now());
  await traffic.idle();
  undisturbed(t, before, during);
  for (const [i, { name, mirrorLines }] of instances.entries()) {
    t.match(mirrorLines(marks[i]).join(), MAY_SAY, `what ${name} says`);
  }
  const [a, b] = instances;
  await proveSharing(t, { redis: replica.admin, traffic }, a, b);
  await proveSharing(t, { redis: replica.admin, traffic }, b, a);
}

void t.test('through a Redis with Sentinels', { skip, timeout }, async t => {
  const sentinel = await startRedisSentinel(t);
  const { topology } = sentinel.connection;
  if (topology.kind !== 'sentinel') throw new Error('no Sentinels');
  const nodes = topology.nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  const redis = `redis+sentinel://${nodes}/${topology.master}`;
  const around = await startPair(t, sentinel.master.admin, (name, backends) =>
    startByFlags(t, { name, redis, backends }),
  );
  const [a, b] = around.instances;
  await proveSharing(t, around, a, b);

  await t.test('the replica is made the master, and the old one lives on', async t => {
    await survivesFailover(t, sentinel, around, () => sentinel.failOver());
  });

  await t.test('the new master dies, and the old one takes over again', async t => {
    const { master, replica } = sentinel;
    // The Sentinels fail over to nobody but who has reported for duty.
    while ((await master.admin.role())[0] !== 'slave') await pause(20);
    while (!(await master.admin.info('replication')).includes('master_link_status:up')) await pause(20);
    const exchanged = { ...sentinel, master: replica, replica: master };
    await survivesFailover(t, exchanged, around, () => replica.kill());
  });
});
