/**
 * What another program, or an instance with a defect, leaves in Redis: it may make totals wrong while it stands there,
 * but no call fails for long, every number stays within its range, and what lb4 itself keeps is put right.
 */
import t, { type Test } from 'tap';
import type { Totals } from '../../../../src/control/mirror/exchange.ts';
import { MOST_INSTANCES } from '../../../../src/control/mirror/exchange-script.ts';
import { exchangeKeys } from '../../../../src/control/mirror/exchange-keys.ts';
import { skipWithoutRedis, startRedisServer, type RedisServer } from '../../../harness/redis-server.ts';
import { shareOver, type SharingInstance } from '../../../harness/sharing-instance.ts';

const skip = skipWithoutRedis();
const X = 'x:1';
const FIGURES_BYTES = 64;

interface World {
  readonly redis: RedisServer;
  readonly keys: { own: string; instances: string; state: string; load: string; evil: string };
  readonly say: (who: 'a' | 'b', count: number) => Promise<Totals>;
}

/** Two instances that share one session each on one backend, of an upstream of their own; and an `evil` one to come. */
async function shared(
  redis: RedisServer,
  [a, b]: readonly SharingInstance[],
  upstream: string,
): Promise<World> {
  const [own, instances, state, load] = exchangeKeys(upstream, 'a');
  const [evil] = exchangeKeys(upstream, 'evil');
  const say: World['say'] = async (who, count) => {
    const answer = await (who === 'a' ? a : b)?.say({ [X]: count }, upstream);
    if (answer?.kind !== 'totals') throw new Error(`${who} does not hold its name`);
    return answer;
  };
  await say('a', 1);
  await say('b', 1);
  await say('a', 1);
  return { redis, keys: { own, instances, state, load, evil }, say };
}

async function setUp(t: Test): Promise<(upstream: string) => Promise<World>> {
  const redis = await startRedisServer(t);
  const both = [shareOver(t, redis.connection), shareOver(t, redis.connection, { instance: 'b' })];
  return upstream => shared(redis, both, upstream);
}

/** A number of 32 bits, big-endian. */
const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const doubles = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => bytes.writeDoubleBE(value, 8 * i));
  return bytes;
};

/** An instance as it should be, but for these fields. */
async function appear(
  { redis, keys }: World,
  fields: Record<string, string | number | Buffer>,
): Promise<void> {
  const [seconds = 0] = await redis.admin.time();
  await redis.admin.zadd(keys.instances, seconds * 1000, 'evil');
  await redis.admin.hset(keys.evil, {
    ...{ owner: 'evil', number: 1, unseen: 0, lease: 60_000 },
    ...{ backends: `${X}\0`, counts: uint32(0), ...fields },
  });
  await redis.admin.pexpire(keys.evil, 60_000);
}

const INSTANCES: Record<string, Record<string, string | number | Buffer>> = {
  'with 2^31 sessions': { counts: uint32(2 ** 31) },
  'with 2^32 - 1 sessions': { counts: uint32(2 ** 32 - 1) },
  'whose counts are text': { counts: 'seventeen' },
  'with more counts than names': { counts: Buffer.alloc(400, 1) },
  'with fewer counts than names': { backends: `${X}\0y:1\0`, counts: uint32(1) },
  'with half a count': { counts: Buffer.from([0, 0, 1]) },
  'whose names do not end': { backends: X, counts: uint32(1) },
  'with names of nothing': { backends: '\0\0\0', counts: Buffer.alloc(12) },
  'with 5,000 backends': {
    backends: Array.from({ length: 5_000 }, (_, i) => `z:${i}\0`).join(''),
    counts: Buffer.alloc(20_000, 0xff),
  },
  'whose unseen is text': { unseen: 'many' },
  'whose unseen is no number': { unseen: 'nan' },
  'whose unseen is below zero': { unseen: '-1e300' },
  'whose unseen is beyond all': { unseen: '1e308' },
  'whose lease is text': { lease: 'for ever' },
  'whose lease is beyond all': { lease: '1e300' },
  'whose lease is below zero': { lease: '-5' },
  'whose lease is infinite': { lease: 'inf' },
};

void t.test(
  'an instance with strange values fails nobody, and its own values stay in range',
  { skip },
  async t => {
    const start = await setUp(t);
    for (const [name, fields] of Object.entries(INSTANCES)) {
      const world = await start(`app-${name.replace(/\W/g, '')}`);
      await appear(world, fields);
      // Somebody with other backends than before makes everybody look.
      await world.redis.admin.hdel(world.keys.state, 'epoch');
      for (const count of [2, 5, 3, 3]) {
        const { totals, unseen, ageMs, others } = await world.say('a', count);
        const own = totals.get(X) ?? -1;
        t.ok(own >= count + 1 && own <= 2 ** 32 - 1, `${name}: ${own}`);
        t.ok(unseen >= 0 && unseen <= 2 ** 31 / 1000, `${name}: unseen ${unseen}`);
        t.ok(ageMs >= 0 && ageMs < 60_000, `${name}: age ${ageMs}`);
        t.ok(others.includes('b'), name);
      }
      t.ok((await world.redis.admin.pttl(world.keys.state)) <= 2 * 3_600_000, 'and what is kept expires');
      await world.redis.admin.del(world.keys.evil);
      await world.redis.admin.hdel(world.keys.state, 'epoch');
      t.equal((await world.say('a', 4)).totals.get(X), 5, `${name}: gone without a trace`);
    }
  },
);

const STATES: Record<string, (world: World) => Promise<unknown>> = {
  'figures are short': ({ redis, keys }) => redis.admin.hset(keys.state, 'figures', 'x'),
  'figures are text': ({ redis, keys }) => redis.admin.hset(keys.state, 'figures', 'x'.repeat(FIGURES_BYTES)),
  'figures are no numbers': ({ redis, keys }) =>
    redis.admin.hset(keys.state, 'figures', doubles(NaN, NaN, NaN, NaN, NaN, NaN, NaN, NaN)),
  'figures are infinite': ({ redis, keys }) =>
    redis.admin.hset(keys.state, 'figures', doubles(...Array<number>(8).fill(Infinity))),
  'unseen is text': ({ redis, keys }) => redis.admin.hset(keys.state, 'unseen', 'x'),
  'unseen is no number': ({ redis, keys }) => redis.admin.hset(keys.state, 'unseen', 'nan'),
  'totals are missing': ({ redis, keys }) => redis.admin.hdel(keys.state, 'totals'),
  'totals are short': ({ redis, keys }) => redis.admin.hset(keys.state, 'totals', 'x'),
  'totals are many': ({ redis, keys }) => redis.admin.hset(keys.state, 'totals', Buffer.alloc(4_000)),
  'names are missing': ({ redis, keys }) => redis.admin.hdel(keys.state, 'backends'),
  'the own number is text': ({ redis, keys }) => redis.admin.hset(keys.own, 'number', 'x'),
  'the own lease is text': ({ redis, keys }) => redis.admin.hset(keys.own, 'lease', 'x'),
  'the own counts are missing': ({ redis, keys }) => redis.admin.hdel(keys.own, 'counts'),
  'the own counts are text': ({ redis, keys }) => redis.admin.hset(keys.own, 'counts', 'seventeen'),
  'further fields and keys': async ({ redis, keys }) => {
    await redis.admin.hset(keys.state, 'more', 'x', 'backends2', 'y');
    await redis.admin.hset(keys.own, 'more', 'x');
    await redis.admin.set(`${keys.own}:more`, 'x');
  },
  'a heartbeat lies in the far future': ({ redis, keys }) => redis.admin.zadd(keys.instances, 1e300, 'b'),
  'a heartbeat is infinite': ({ redis, keys }) => redis.admin.zadd(keys.instances, '+inf', 'b'),
  'a heartbeat is infinitely long ago': ({ redis, keys }) => redis.admin.zadd(keys.instances, '-inf', 'b'),
  'members that are none': ({ redis, keys }) =>
    redis.admin.zadd(keys.instances, ...Array.from({ length: 1_000 }, (_, i) => [i, `ghost-${i}`]).flat()),
  'a load that is none': ({ redis, keys }) => redis.admin.zadd(keys.load, Infinity, 'x', 5, 'y'),
};

void t.test('what lb4 keeps in Redis is put right when somebody has spoilt it', { skip }, async t => {
  const start = await setUp(t);
  for (const [name, spoil] of Object.entries(STATES)) {
    const world = await start(`app-${name.replace(/\W/g, '')}`);
    await spoil(world);
    const answers: string[] = [];
    for (let i = 0; i < 4; i++) {
      for (const who of ['a', 'b'] as const) {
        // The first to find it may have to begin anew.
        const answer = await world.say(who, 2 + i).catch(String);
        answers.push(typeof answer === 'string' ? answer : String(answer.totals.get(X)));
      }
    }
    t.same(answers.slice(-2), ['9', '10'], `${name}: ${answers.join(', ')}`);
  }
});

void t.test('a key that never expires and is full of members is not read', { skip }, async t => {
  const world = await (await setUp(t))('app');
  const members = Array.from({ length: MOST_INSTANCES + 1 }, (_, i) => [i, `ghost-${i}`]).flat();
  await world.redis.admin.zadd(world.keys.instances, ...members);
  await world.redis.admin.hdel(world.keys.state, 'epoch');
  await t.rejects(world.say('a', 1), {
    reason: 'error',
    message: 'Redis refuses: ERR more than 10000 instances share this upstream',
  });
  await world.redis.admin.del(world.keys.instances);
  t.equal((await world.say('a', 1)).totals.get(X), 1);
  await world.say('b', 1);
  t.equal((await world.say('a', 1)).totals.get(X), 2);
});
