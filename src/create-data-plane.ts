/**
 * Builds the data plane that the configuration asks for and this machine can run: engine, threads, limits.
 *
 * Place: called by `load-balancer.ts` at each start, with the real clock and randomness of its thread.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { ConfigError } from './config/config-error.ts';
import type { Config } from './config/schema.ts';
import { unknownOwners } from './config/socket-owners.ts';
import { LocalDataPlane, type DataPlaneHost } from './data-plane-host.ts';
import { plainSettings, withStrategies } from './data-plane-settings.ts';
import { chooseEngine, type EngineChoice } from './engine/choose-engine.ts';
import { epollSupport } from './engine/epoll/epoll-support.ts';
import { loadLibc } from './engine/epoll/libc.ts';
import { createNodeEngine, PROC_NET, type NodeEngine } from './engine/node/node-engine.ts';
import { tablesTell } from './engine/node/proc-net-tcp.ts';
import { Lb4Error } from './errors.ts';
import { descriptorBudget, type DescriptorBudget } from './listener/descriptor-budget.ts';
import type { HostReport } from './model/data-event.ts';
import { DeadlineWheel } from './session/deadline-wheel.ts';
import { ControlledState } from './shared-memory/shared-state.ts';
import { MAX_SLOTS } from './shared-memory/slot-table.ts';
import { formatAddress, isAbstract } from './support/address.ts';
import { threadLimit } from './support/cgroup.ts';
import { usableCores } from './support/cores.ts';
import { processLimit } from './support/process-limits.ts';
import { setKeepingTimer, setUnrefTimer } from './support/timer.ts';
import type { ThreadLimits } from './workers/starting.ts';
import { WorkerFleet } from './workers/worker-fleet.ts';

export interface DataPlaneMaking {
  readonly data: DataPlaneHost;
  readonly choice: EngineChoice;
  readonly shared: ControlledState;
  /** Sessions that can run at once; Infinity for no limit. */
  readonly maxSessions: number;
  /** Set where it is what the descriptors allow, because no less is configured. */
  readonly descriptors: DescriptorShortage | undefined;
  /** The engine of the caller's thread: for probes, whatever moves the sessions. */
  readonly engine: NodeEngine;
}

/** How the descriptors limit the sessions. */
export interface DescriptorShortage {
  readonly limit: number;
  /** The most sessions that are configured, and the limit of descriptors that would allow them. */
  readonly wanted: { readonly maxSessions: number; readonly limit: number } | undefined;
}

export interface Clocks {
  now(): number;
  wallClock(): number;
  random(): number;
}

/** What a thread of Node's holds by itself (4), and an engine of its own: epoll, wake-up, a pipe. */
const DESCRIPTORS_PER_WORKER = 8;
const ALL_DESCRIPTORS = 1 << 20;

/** Opens nothing yet. Rejects with LB4_STRATEGY_INVALID or LB4_ENGINE_UNAVAILABLE. */
export async function createDataPlane(
  config: Config,
  baseDir: string,
  clocks: Clocks,
  report: HostReport,
  slots: number = MAX_SLOTS,
): Promise<DataPlaneMaking> {
  const unknown = unknownOwners(config.listeners);
  if (unknown.length > 0) throw new ConfigError(unknown);
  const libc = loadLibc();
  if (!libc.ok) refuseAbstractNames(config, libc.reason);
  const choice = chooseEngine(config, {
    libc,
    // Over the library that is loaded already.
    epoll: () => epollSupport(() => libc),
    tellsDelivery: () => tablesTell(PROC_NET),
    cores: usableCores(readText, cpus().length, availableParallelism()),
  });
  const shared = new ControlledState({ workers: Math.max(choice.workers, 1), slots });
  for (const { name, sticky, strategy } of config.upstreams) {
    shared.addUpstream(name, {
      sticky: sticky && { max: sticky.max, ttlMs: sticky.ttl },
      mirrored: config.redis !== undefined,
      takesTurns: strategy === 'roundrobin',
    });
  }
  const budget = descriptorBudget(descriptorsAside(config, choice.workers));
  const plain = plainSettings(config, shared, budget?.sessions ?? Infinity);
  // Also where workers load their own: a strategy that cannot be loaded is told at once.
  const settings = await withStrategies(plain, baseDir);
  const wheel = new DeadlineWheel(() => clocks.now());
  const engine = createNodeEngine({
    clock: wheel,
    libc: libc.ok ? libc.libc : undefined,
    ...(budget && { waitingLimit: budget.waiting }),
  });
  const descriptors = descriptorShortage(config, budget);
  const making = { choice, shared, maxSessions: plain.maxSessions, descriptors, engine };
  if (choice.workers > 0 && libc.ok) {
    const fleet = {
      engine: choice.engine,
      data: plain,
      baseDir,
      waitingLimit: budget?.waiting,
      descriptors: processLimit('descriptors') ?? ALL_DESCRIPTORS,
      stallTimeoutMs: config.workerStallTimeout === 0 ? Infinity : config.workerStallTimeout,
    };
    const deps = {
      ...{ libc: libc.libc, shared, threadLimits },
      now: () => clocks.now(),
      // While every worker waits to be started again, nothing else keeps the process alive.
      setTimer: setKeepingTimer,
    };
    return { ...making, data: new WorkerFleet(fleet, deps, report) };
  }
  const ledger = { sessionsEver: 0, sessionsAborted: 0 };
  const deps = {
    engine,
    wheel,
    shared,
    ledger,
    setTimer: setUnrefTimer,
    now: () => clocks.now(),
    wallClock: () => clocks.wallClock(),
    random: () => clocks.random(),
  };
  return { ...making, data: new LocalDataPlane(settings, deps, report) };
}

/** Undefined where the configuration allows no more sessions than the descriptors do. */
function descriptorShortage(
  { limits, listeners }: Config,
  budget: DescriptorBudget | undefined,
): DescriptorShortage | undefined {
  if (budget === undefined || (limits.maxSessions ?? Infinity) <= budget.sessions) return undefined;
  const maxSessions =
    limits.maxSessions ?? Math.max(...listeners.map(({ limits: own }) => own.maxSessions ?? 0));
  const wanted =
    maxSessions > budget.sessions ? { maxSessions, limit: budget.limitFor(maxSessions) } : undefined;
  return { limit: budget.limit, wanted };
}

/** Node knows abstract names by other names than the rest of the system does. */
function refuseAbstractNames({ listeners, upstreams }: Config, reason: string): void {
  const backends = upstreams.flatMap(upstream => upstream.backends.map(({ address }) => address));
  for (const address of [...listeners.flatMap(({ bind }) => bind), ...backends]) {
    if (address.kind !== 'unix' || !isAbstract(address)) continue;
    const message = `${formatAddress(address)} is in the abstract namespace, which cannot be had here: ${reason}`;
    throw new Lb4Error('LB4_ENGINE_UNAVAILABLE', message);
  }
}

/** Descriptors that go to other things than sessions: probes, spare connections, threads and what they listen on. */
function descriptorsAside({ upstreams, listeners }: Config, workers: number): number {
  const addresses = listeners.reduce((sum, { bind }) => sum + bind.length, 0);
  const perWorker = DESCRIPTORS_PER_WORKER + 2 * addresses;
  return upstreams.reduce((sum, { backends, pool }) => {
    // Every worker keeps its share, rounded up.
    const spares = workers === 0 ? pool.warm : Math.ceil(pool.warm / workers) * workers;
    return sum + backends.length * (1 + spares);
  }, workers * perWorker);
}

function threadLimits(): ThreadLimits {
  const user = processLimit('processes');
  // The limit of a user's processes does not hold for root.
  const counts = user !== undefined && user !== Infinity && process.getuid?.() !== 0;
  return { cgroup: threadLimit(readText), user: counts ? user : undefined };
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
