/**
 * What sharing counts costs: three instances of lb4 that share with seventeen others through one redis-server, beside
 * three of the same build that share nothing, all under the same load at the same time. The difference is the mirror's.
 *
 * The measured instances are processes of their own, as a user starts them; the others are mirrors in this process,
 * as if they stood on other machines (load/sharers.ts): Redis cannot tell them apart. Redis stands on the load core.
 * Its CPU is the kernel's account of the whole process: sockets, not only scripts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startSharers, type Sharers } from '../load/sharers.ts';
import { startSessionStream, type SessionStream } from '../load/session-stream.ts';
import { startCpuMeter } from '../measure/cpu.ts';
import { redisObstacle, startRedis, type MeasuredRedis } from '../measure/redis.ts';
import { median } from '../measure/stats.ts';
import type { RunningPeer } from '../peers/peer.ts';
import type { Children } from '../processes/children.ts';
import type { Figure, Measured, Scenario } from './scenario.ts';

const INSTANCES = 20;
/** Of each kind, sharing and not. */
const MEASURED = 3;
const BACKENDS = 100;
/** What lb4 has as its default. */
const PERIOD_MS = 250;

/** New sessions per second for each instance, and how long each lives. */
const SITUATIONS = [
  { name: 'idle', perInstance: 0, sessionMs: 0 },
  { name: 'sparse', perInstance: 5, sessionMs: 4_000 },
  { name: 'busy', perInstance: 10, sessionMs: 500 },
] as const;

type Situation = (typeof SITUATIONS)[number];

export interface MirrorCostSettings {
  readonly children: Children;
  /** Under the busiest load: code gets compiled, and Redis knows everybody. */
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** After the load has changed: averages follow, sessions of before end. */
const SETTLE_PERIODS = 12;
const SHARED_WITHIN_MS = 10_000;

export function createMirrorCost({ children, warmUpMs, measureMs }: MirrorCostSettings): Scenario {
  return {
    name: 'mirror',
    title: `mirror: CPU for sharing counts of ${String(BACKENDS)} backends every ${String(PERIOD_MS)} ms, in % of a core, ${String(INSTANCES)} instances`,
    service: 'echo',
    setup: { workers: 1, backends: BACKENDS, strategy: 'leastconn' },
    measuresControl: false,
    subjectsOnly: true,
    maxRounds: 3,
    headline: 'sparseInstancePercent',
    figures: [
      ...SITUATIONS.map(({ name }) => percent(`${name}InstancePercent`, `lb4 ${name}`)),
      ...SITUATIONS.map(({ name }) => percent(`${name}RedisPercent`, `Redis ${name}`)),
      { key: 'stolenPercent', label: 'stolen', unit: '%', digits: 1, better: 'neither' },
    ],
    unavailable: () => redisObstacle(children),
    async run(first, another) {
      const redis = await startRedis(children);
      try {
        const alone = [first];
        while (alone.length < MEASURED) alone.push(await another({}));
        const sharing: RunningPeer[] = [];
        while (sharing.length < MEASURED) sharing.push(await another({ redis: redis.url }));
        const sharers = startSharers({
          count: INSTANCES - MEASURED,
          port: redis.port,
          ...(await redis.upstream()),
          periodMs: PERIOD_MS,
        });
        try {
          return await measureAll({ redis, alone, sharing, sharers }, warmUpMs, measureMs);
        } finally {
          await sharers.stop();
        }
      } finally {
        await redis.stop();
      }
    },
  };
}

interface MirrorBench {
  readonly redis: MeasuredRedis;
  readonly alone: readonly RunningPeer[];
  readonly sharing: readonly RunningPeer[];
  readonly sharers: Sharers;
}

/** From the busiest situation to the idle one, so that in each of them all code has run before. */
async function measureAll(bench: MirrorBench, warmUpMs: number, measureMs: number): Promise<Measured> {
  const figures: Record<string, number> = {};
  const stolen: number[] = [];
  let errors = 0;
  let isWarm = false;
  for (const situation of SITUATIONS.toReversed()) {
    bench.sharers.load(situation);
    const stream = startLoad(bench, situation);
    await sleep(SETTLE_PERIODS * PERIOD_MS + situation.sessionMs + (isWarm ? 0 : warmUpMs));
    isWarm = true;
    const { stolenPercent, ...measured } = await measure(bench, measureMs).finally(() => stream?.stop());
    errors += (await stream?.stop())?.errors ?? 0;
    for (const [key, value] of Object.entries(measured)) figures[`${situation.name}${key}`] = value;
    if (stolenPercent !== undefined) stolen.push(stolenPercent);
  }
  return { figures: { ...figures, ...(stolen.length > 0 && { stolenPercent: median(stolen) }) }, errors };
}

function startLoad(
  { alone, sharing }: MirrorBench,
  { perInstance, sessionMs }: Situation,
): SessionStream | undefined {
  if (perInstance === 0) return undefined;
  const ports = [...sharing, ...alone].map(({ port }) => port);
  return startSessionStream({ ports, ratePerSecond: perInstance * ports.length, sessionMs });
}

/** One window. Keys without their situation; those beyond the columns are kept in the JSON. */
async function measure({ redis, alone, sharing }: MirrorBench, ms: number): Promise<Record<string, number>> {
  await untilAllShare(redis);
  const scriptsBefore = await redis.scripts();
  const startedAt = performance.now();
  const meters = {
    sharing: startCpuMeter(sharing.flatMap(peer => peer.pids())),
    alone: startCpuMeter(alone.flatMap(peer => peer.pids())),
    redis: startCpuMeter([redis.pid]),
  };
  await sleep(ms);
  const used = { sharing: meters.sharing(), alone: meters.alone(), redis: meters.redis() };
  const seconds = (performance.now() - startedAt) / 1000;
  const scripts = await redis.scripts();
  if (
    used.sharing.balancer === undefined ||
    used.alone.balancer === undefined ||
    used.redis.balancer === undefined
  ) {
    return {};
  }
  const percentOfCore = (busyNs: number): number => (busyNs / 1e9 / seconds) * 100;
  const withMirror = percentOfCore(used.sharing.balancer.busyNs) / sharing.length;
  const without = percentOfCore(used.alone.balancer.busyNs) / alone.length;
  const runs = scripts.runs - scriptsBefore.runs;
  return {
    InstancePercent: withMirror - without,
    WithMirrorPercent: withMirror,
    WithoutMirrorPercent: without,
    RedisPercent: percentOfCore(used.redis.balancer.busyNs),
    ExchangesPerSecond: runs / seconds,
    ScriptUs: (scripts.microseconds - scriptsBefore.microseconds) / runs,
    ...(used.redis.stolenPercent !== undefined && { stolenPercent: used.redis.stolenPercent }),
  };
}

/** Nobody whose lease has just ended on a busy machine is missing for long. */
async function untilAllShare(redis: MeasuredRedis): Promise<void> {
  const deadline = performance.now() + SHARED_WITHIN_MS;
  for (;;) {
    const sharers = await redis.sharing();
    if (sharers === INSTANCES) return;
    if (performance.now() > deadline) {
      throw new Error(`${String(sharers)} of ${String(INSTANCES)} instances share`);
    }
    await sleep(PERIOD_MS);
  }
}

function percent(key: string, label: string): Figure {
  return { key, label, unit: '%', digits: 2, better: 'lower' };
}
