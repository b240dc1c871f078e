/**
 * A Redis that fails in all kinds of ways, and two instances that share through it: clients notice nothing, the log
 * says it once, and when it is over they share again by themselves. Real processes throughout.
 */
import t from 'tap';
import { skipUnlessFull } from '../harness/full-load.ts';
import { startPair, survive } from '../harness/mirror-fault.ts';
import {
  lineAfter,
  PERIOD_MS,
  startInstance,
  totals,
  unbalance,
  untilCalm,
  untilTotalsAreTrue,
} from '../harness/mirrored-instances.ts';
import { skipWithoutRedis, startRedisServer } from '../harness/redis-server.ts';

const timeout = 120_000;
t.setTimeout(timeout);
/** What a busy machine may add to what is said in periods. */
const SLACK_MS = 300;
const full = { skip: skipUnlessFull() };

void t.test('faults of a single Redis', { skip: skipWithoutRedis(), timeout }, async t => {
  const redis = await startRedisServer(t);
  const url = `redis://127.0.0.1:${redis.port}`;
  const around = await startPair(t, redis.admin, (name, backends) =>
    startInstance(t, { name, redis: { url }, backends, further: ['other'] }),
  );
  const { traffic, instances } = around;
  const [a, b] = instances;
  const { admin } = redis;

  await t.test('killed, and started again: shared again within six seconds', t =>
    survive(t, around, {
      reason: 'unreachable',
      begin: () => redis.kill(),
      end: () => redis.restart(),
      healsWithinMs: 6_000,
    }),
  );

  await t.test('back with what it had saved before: only what is true now counts', full, async t => {
    await unbalance(traffic, a);
    await untilTotalsAreTrue(admin, traffic);
    await admin.save();
    const marks = [a.lines.length, b.lines.length] as const;
    await redis.kill();
    await Promise.all([lineAfter(a, marks[0], 'mirrorLocal'), lineAfter(b, marks[1], 'mirrorLocal')]);
    await traffic.idle();
    const empty = await unbalance(traffic, a);
    await redis.restart();
    await Promise.all([lineAfter(a, marks[0], 'mirrorShared'), lineAfter(b, marks[1], 'mirrorShared')]);
    await untilTotalsAreTrue(admin, traffic);
    await untilCalm(admin);
    t.strictSame(await traffic.hold(b.target, 3), [empty, empty, empty], "b goes by a's sessions of now");
    await traffic.idle();
  });

  await t.test('out of memory: shared again within six seconds after there is some', full, t =>
    survive(t, around, {
      reason: 'outOfMemory',
      begin: () => admin.config('SET', 'maxmemory', '1'),
      end: () => admin.config('SET', 'maxmemory', '0'),
      healsWithinMs: 6_000,
    }),
  );

  await t.test("a wrong type under a key: this upstream is local, and no other's", full, async t => {
    const mark = a.lines.length;
    await survive(t, around, {
      reason: 'wrongType',
      begin: () => admin.set('lb4:{default}:load', 'x'),
      end: async () => {
        t.strictSame(await totals(admin, traffic.backends, 'other'), [0, 0, 0], 'the other one is shared');
        await admin.del('lb4:{default}:load');
      },
      healsWithinMs: 6_000,
    });
    t.match(await lineAfter(a, mark, 'mirrorLocal'), { upstreams: 'default' });
    t.match(await lineAfter(a, mark, 'mirrorShared'), { upstreams: 'default' });
  });

  await t.test('FLUSHALL: nothing is said, and the counts are back within two periods', full, async t => {
    await survive(t, around, {
      reason: undefined,
      begin: () => admin.flushall(),
      end: async () => undefined,
      healsWithinMs: 0,
    });
    await unbalance(traffic, a);
    await traffic.hold(b.target, 3);
    await untilTotalsAreTrue(admin, traffic);
    await admin.flushall();
    const tookMs = await untilTotalsAreTrue(admin, traffic);
    t.ok(tookMs <= 2 * PERIOD_MS + SLACK_MS, `back after ${tookMs.toFixed(0)} ms`);
    await traffic.idle();
  });
});
