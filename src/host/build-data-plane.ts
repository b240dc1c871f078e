/**
 * Builds the data plane that the configuration asks for and this machine can run: engine, threads, limits.
 *
 * Place: called by `load-balancer.ts` at each start, with the real clock and randomness of its thread.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import type { DataPlaneHost } from './data-plane-host.ts';
import {
  chooseEngine,
  workersForTls,
  type EngineChoice,
  type EngineWishes,
} from '../engine/choose-engine.ts';
import { epollSupport } from '../engine/epoll/epoll-support.ts';
import { loadLibc, type LibcResult } from '../linux/libc.ts';
import { silenceOf, type Silence } from '../linux/silence.ts';
import { createNodeEngine, PROC_NET, type NodeEngine } from '../engine/node/node-engine.ts';
import { tablesTell } from '../engine/node/proc-net-tcp.ts';
import { Lb4Error } from '../errors.ts';
import { LocalHost } from './local-host.ts';
import { descriptorBudget, openDescriptors, type DescriptorBudget } from './descriptor-budget.ts';
import { growDescriptorTable } from './descriptor-table.ts';
import type { HostReport } from '../model/data-event.ts';
import { DeadlineWheel } from '../data/session/deadline-wheel.ts';
import { ControlledState } from '../shared-memory/shared-state.ts';
import { MAX_SLOTS } from '../shared-memory/slot-table.ts';
import { formatAddress, isAbstract, type Address } from '../support/address.ts';
import { threadLimit } from '../support/cgroup.ts';
import { usableCores } from '../support/cores.ts';
import { adminClients, processLimit } from '../support/process-limits.ts';
import { setKeepingTimer, setUnrefTimer } from '../support/timer.ts';
import type { GroupSettings } from './fleet-settings.ts';
import type { ThreadLimits } from './starting.ts';
import { sparesOfAll } from './share-of.ts';
import type { Given } from './sockets.ts';
import { WorkerFleet } from './worker-fleet.ts';

/** The parts of a configuration that decide threads and limits. */
export interface HostConfig extends EngineWishes {
  readonly workerStallTimeout: number;
  readonly admin: { readonly socket: 'auto' | 'off'; readonly bind?: Address | undefined };
  readonly limits: { readonly maxSessions?: number | undefined };
  readonly listeners: readonly {
    readonly bind: readonly Address[];
    readonly limits: { readonly maxSessions?: number | undefined };
    readonly tls?: unknown;
  }[];
  readonly upstreams: readonly {
    readonly backends: readonly { readonly address: Address }[];
    readonly pool: { readonly warm: number };
    readonly tls?: unknown;
  }[];
}

export interface DataPlaneMaking {
  readonly data: DataPlaneHost;
  readonly choice: EngineChoice;
  readonly shared: ControlledState;
  /** Throws LB4_ENGINE_UNAVAILABLE for addresses that cannot be had here. */
  limitsOf(config: HostConfig): SessionLimits;
  /** How a client can be given up without an answer; undefined: it is reset. */
  readonly silence: Silence | undefined;
  /** The engine of the caller's thread: for probes, whatever moves the sessions. */
  readonly engine: NodeEngine;
}

export interface SessionLimits {
  /** Sessions that can run at once; Infinity: no limit. */
  readonly maxSessions: number;
  /** Set when `sessions` is what the descriptors allow, because the configuration has no lower limit. */
  readonly descriptors: DescriptorShortage | undefined;
  /** Clients that can wait besides in each group of workers, while listeners are paused; undefined: the engine's default. */
  readonly waiting: number | undefined;
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

/** Descriptors of a Node thread (4), and of an engine of its own: epoll, wake-up, a pipe. */
const DESCRIPTORS_PER_WORKER = 8;
const ALL_DESCRIPTORS = 1 << 20;

export interface DataPlaneOptions {
  /** Things that can have a slot in shared memory at a time. */
  readonly slots?: number | undefined;
  /** Listening sockets to take over. */
  readonly given?: Given | undefined;
}

/** Opens nothing yet. Throws LB4_ENGINE_UNAVAILABLE. */
export function createDataPlane(
  config: HostConfig,
  clocks: Clocks,
  report: HostReport,
  { slots = MAX_SLOTS, given = {} }: DataPlaneOptions = {},
): DataPlaneMaking {
  const loaded = loadLibc();
  const libc = loaded.ok ? loaded.libc : undefined;
  if (!loaded.ok && [...(given.passed ?? []), ...(given.handed ?? [])].length > 0) {
    const message = `sockets that were passed to this process cannot be taken over: ${loaded.reason}`;
    throw new Lb4Error('LB4_ENGINE_UNAVAILABLE', message);
  }
  if (!loaded.ok) refuseAbstractNames(config, loaded.reason);
  const choice = choiceFor(config, loaded);
  const forTls = workersForTls(choice);
  const workers = Math.max(choice.workers, 1);
  const shared = new ControlledState({ workers, mostWorkers: workers + forTls, slots });
  const alreadyOpen = openDescriptors();
  if (libc !== undefined) growDescriptorTable(libc, processLimit('descriptors') ?? 0);
  const limitsOf = (wanted: HostConfig): SessionLimits => {
    if (!loaded.ok) refuseAbstractNames(wanted, loaded.reason);
    // Workers that were added once stay.
    const groups = forTls > 0 && (hasTls(wanted) || shared.counts.threads > workers) ? 2 : 1;
    return sessionLimits(wanted, budgetFor(wanted, { workers: choice.workers, groups }, alreadyOpen));
  };
  const { waiting: waitingLimit } = limitsOf(config);
  const wheel = new DeadlineWheel(() => clocks.now());
  const engine = createNodeEngine({
    ...{ clock: wheel, now: () => clocks.now(), libc },
    ...(waitingLimit === undefined ? {} : { waitingLimit }),
  });
  const silence = libc && silenceOf(libc);
  const making = { choice, shared, limitsOf, silence, engine };
  const slot = shared.slotOfInstance();
  if (choice.workers > 0 && libc !== undefined) {
    const fleet = {
      groups: groupsOf(choice),
      workers: choice.workers,
      ...{ slot, waitingLimit },
      descriptors: processLimit('descriptors') ?? ALL_DESCRIPTORS,
      stallTimeoutMs: config.workerStallTimeout === 0 ? Infinity : config.workerStallTimeout,
    };
    const deps = {
      ...{ libc, shared, threadLimits, given },
      now: () => clocks.now(),
      // While every worker waits for its restart, nothing else keeps the process alive.
      setTimer: setKeepingTimer,
    };
    return { ...making, data: new WorkerFleet(fleet, deps, report) };
  }
  const ledger = { sessionsEver: 0, sessionsAborted: 0 };
  const deps = {
    ...{ engine, libc, wheel, shared, ledger, slot, given },
    setTimer: setUnrefTimer,
    now: () => clocks.now(),
    wallClock: () => clocks.wallClock(),
    random: () => clocks.random(),
  };
  return { ...making, data: new LocalHost(deps, report) };
}

/** What a start would choose here, and the sessions that it would allow. Throws LB4_ENGINE_UNAVAILABLE. */
export function dataPlaneOutlook(config: HostConfig): {
  readonly choice: EngineChoice;
  readonly limits: SessionLimits;
  /** Workers that would serve the listeners with TLS of this configuration, beside those of the choice. */
  readonly workersForTls: number;
} {
  const loaded = loadLibc();
  if (!loaded.ok) refuseAbstractNames(config, loaded.reason);
  const choice = choiceFor(config, loaded);
  const forTls = hasTls(config) ? workersForTls(choice) : 0;
  const threads = { workers: choice.workers, groups: forTls > 0 ? 2 : 1 };
  const budget = budgetFor(config, threads, openDescriptors());
  return { choice, limits: sessionLimits(config, budget), workersForTls: forTls };
}

/** Where the chosen engine has no TLS, others serve the listeners that need it. */
export function groupsOf(choice: Pick<EngineChoice, 'engine' | 'workers'>): readonly GroupSettings[] {
  const { engine, workers } = choice;
  if (workersForTls(choice) === 0) return [{ engine, serves: 'all', first: 0 }];
  return [
    { engine, serves: 'plain', first: 0 },
    { engine: 'node', serves: 'tls', first: workers },
  ];
}

/** Whether some listener may need TLS. */
function hasTls({ listeners, upstreams }: HostConfig): boolean {
  return [...listeners, ...upstreams].some(({ tls }) => tls !== undefined);
}

function choiceFor(config: HostConfig, loaded: LibcResult): EngineChoice {
  const choice = chooseEngine(config, {
    libc: loaded,
    // Reuses the library that is loaded already.
    epoll: () => epollSupport(() => loaded),
    tellsDelivery: () => tablesTell(PROC_NET),
    cores: usableCores(readText, cpus().length, availableParallelism()),
  });
  return loaded.ok ? { ...choice, ffi: loaded.libc.ffi } : choice;
}

/** What this machine allows for a configuration. */
function sessionLimits(config: HostConfig, budget: DescriptorBudget | undefined): SessionLimits {
  return {
    maxSessions: Math.min(config.limits.maxSessions ?? Infinity, budget?.sessions ?? Infinity),
    descriptors: descriptorShortage(config, budget),
    waiting: budget?.waiting,
  };
}

/** Undefined when the configuration allows no more sessions than the descriptors do. */
function descriptorShortage(
  { limits, listeners }: HostConfig,
  budget: DescriptorBudget | undefined,
): DescriptorShortage | undefined {
  if (budget === undefined || (limits.maxSessions ?? Infinity) <= budget.sessions) return undefined;
  const maxSessions =
    limits.maxSessions ?? Math.max(...listeners.map(({ limits: own }) => own.maxSessions ?? 0));
  const wanted =
    maxSessions > budget.sessions ? { maxSessions, limit: budget.limitFor(maxSessions) } : undefined;
  return { limit: budget.limit, wanted };
}

/** Node writes the names of abstract sockets differently from the rest of the system. */
function refuseAbstractNames({ listeners, upstreams }: HostConfig, reason: string): void {
  const backends = upstreams.flatMap(upstream => upstream.backends.map(({ address }) => address));
  for (const address of [...listeners.flatMap(({ bind }) => bind), ...backends]) {
    if (address.kind !== 'unix' || !isAbstract(address)) continue;
    const message = `${formatAddress(address)} is in the abstract namespace, which cannot be had here: ${reason}`;
    throw new Lb4Error('LB4_ENGINE_UNAVAILABLE', message);
  }
}

interface Threads {
  /** Of each group. */
  readonly workers: number;
  readonly groups: number;
}

function budgetFor(config: HostConfig, threads: Threads, alreadyOpen: number): DescriptorBudget | undefined {
  return descriptorBudget(descriptorsAside(config, threads), alreadyOpen, undefined, threads.groups);
}

/** Descriptors for all but sessions: clients of the admin API, probes, spare connections, threads and their sockets. */
function descriptorsAside({ admin, upstreams, listeners }: HostConfig, { workers, groups }: Threads) {
  const adminAddresses = (admin.socket === 'off' ? 0 : 1) + (admin.bind === undefined ? 0 : 1);
  const addresses = listeners.reduce((sum, { bind }) => sum + bind.length, 0);
  // A listener has one group.
  const threads = workers * (groups * DESCRIPTORS_PER_WORKER + 2 * addresses);
  const probesAndSpares = upstreams.reduce(
    (sum, { backends, pool }) => sum + backends.length * (1 + sparesOfAll(pool.warm, groups * workers)),
    0,
  );
  return (limit: number): number => threads + probesAndSpares + adminAddresses * adminClients(limit);
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
