/**
 * What sharing is for: four instances, ten backends, few long sessions; how evenly the backends are loaded, measured
 * at the backends. Real processes hold what the simulation promises of them, with Redis and after it was killed.
 *
 * What is promised is the average of the simulation over `SEEDS` seeds, with the same parameters and for the same
 * time. A real run is a single one of them, so it may be worse by three standard deviations of what these seeds gave.
 * Where the machine stood still for a period meanwhile, instances were local for a while, which the simulation does not
 * know of: then they are held to what is promised without sharing.
 */
import { skipUnlessFull } from '../harness/full-load.ts';
import { untilShared } from '../harness/mirror-fault.ts';
import { lineAfter, startInstance, wantLines } from '../harness/mirrored-instances.ts';
import { skipWithoutRedis, startRedisServer } from '../harness/redis-server.ts';
import { now, Traffic } from '../harness/traffic.ts';
import { pause } from '../harness/until.ts';
import { Cluster, type Scenario } from '../../src/sim/cluster.ts';
import { LOCAL_WAYS, SHARED_WAYS, type Way } from '../../src/sim/table.ts';
import { STRATEGIES } from '../../strategies/index.ts';

const timeout = 120_000;
const SEEDS = 40;
const PERIOD_MS = 100;
const LIFE_MS = 2_000;
const WARM_UP_MS = 2 * LIFE_MS;
/** In eight seconds single runs differ too much: one of the same clients was over the allowance by chance. */
const MEASURED_MS = 20_000;
const skip = skipUnlessFull() || skipWithoutRedis();
/** What at most may be left of the distance between not sharing and perfection. */
const LEAVES = 0.75;

const scenario: Scenario = {
  instances: 4,
  backends: Array.from({ length: 10 }, () => 1),
  ratePerS: 16,
  meanLifeMs: LIFE_MS,
  warmUpMs: WARM_UP_MS,
  untilMs: WARM_UP_MS + MEASURED_MS,
};

interface Promised {
  readonly mean: number;
  /** What a single run may have. */
  readonly most: number;
}

async function promised({ strategy, know }: Way): Promise<Promised> {
  const figures: number[] = [];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const run = await new Cluster(seed, scenario, STRATEGIES[strategy], know(PERIOD_MS)).run();
    figures.push(run.imbalance);
  }
  const mean = figures.reduce((sum, figure) => sum + figure, 0) / SEEDS;
  const variance = figures.reduce((sum, figure) => sum + (figure - mean) ** 2, 0) / (SEEDS - 1);
  return { mean, most: mean + 3 * Math.sqrt(variance) };
}

const nothing: Promised = { mean: 0, most: 0 };
const shared = skip === false ? await promised(SHARED_WAYS.lb4) : nothing;
const local = skip === false ? await promised(LOCAL_WAYS.localLeastconn) : nothing;

// Only now: its async hooks would make every promise of the simulation twice as expensive.
const { default: t } = await import('tap');
t.setTimeout(timeout);

void t.test('four instances before ten backends', { skip, timeout }, async t => {
  const redis = await startRedisServer(t);
  const traffic = await Traffic.start(t, scenario.backends.length);
  const instances = await Promise.all(
    Array.from({ length: scenario.instances }, (_, number) =>
      startInstance(t, {
        name: `instance-${number}`,
        redis: { url: `redis://127.0.0.1:${redis.port}`, publish: `${PERIOD_MS}ms` },
        backends: traffic.backends,
      }),
    ),
  );
  await untilShared(instances);
  const targets = instances.map(({ target }) => target);
  await traffic.load({ targets, ratePerSecond: scenario.ratePerS, lifeMs: LIFE_MS, seed: 1 });
  const beganAt = now();
  const measure = async (): Promise<{ figure: number; stalledMs: number }> => {
    await pause(WARM_UP_MS);
    const [from, to] = [now(), now() + MEASURED_MS];
    await pause(MEASURED_MS);
    const stalledMs = await traffic.stall(from - WARM_UP_MS, to);
    return { figure: await traffic.imbalance(from, to), stalledMs };
  };
  const inWords = (figure: number, { mean, most }: Promised): string =>
    `${figure.toFixed(3)}; promised ${mean.toFixed(3)} on average, at most ${most.toFixed(3)}`;

  await t.test('they hold what sharing promises', async t => {
    const { figure, stalledMs } = await measure();
    if (stalledMs > PERIOD_MS) {
      t.comment(`${inWords(figure, shared)}; but the machine stood still for ${stalledMs.toFixed(0)} ms`);
      t.ok(figure <= local.most, inWords(figure, local));
    } else {
      t.ok(figure <= shared.most, inWords(figure, shared));
      t.ok(
        figure - 1 <= LEAVES * (local.mean - 1),
        `clearly better than without sharing, which promises ${local.mean.toFixed(3)}`,
      );
    }
    for (const instance of instances) {
      await wantLines(t, traffic, instance, ['mirrorShared'], { periodMs: PERIOD_MS });
    }
  });

  await t.test('Redis is killed: they hold what is promised without sharing', async t => {
    await redis.kill();
    await Promise.all(instances.map(instance => lineAfter(instance, 0, 'mirrorLocal')));
    const { figure } = await measure();
    t.ok(figure <= local.most, inWords(figure, local));
    for (const instance of instances) {
      const expected = ['mirrorShared', 'mirrorLocal unreachable'];
      await wantLines(t, traffic, instance, expected, { periodMs: PERIOD_MS });
    }
  });

  const { failures, sessions } = await traffic.quickness(beganAt, now());
  t.strictSame(failures, [], 'no session fails');
  t.ok(sessions > (0.7 * (scenario.ratePerS * (now() - beganAt))) / 1000, `${sessions} clients came`);
  await traffic.idle();
});
