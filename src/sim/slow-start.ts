/**
 * A backend that recovers among others under least connections: the shipped model, ramp, picker and strategy over a
 * clock moved by hand, and sessions that are nothing but leases.
 *
 * Place: a test checks the promise of the ramp on it, scripts/plot-slow-start.ts draws it. No sockets, no real time.
 * Load: clients come as a Poisson process and stay for exponential times, so that sessions which run at the beginning
 * need no past: their remaining time is distributed like that of a new one.
 * Times are whole milliseconds. Arrivals and ties are drawn from separate generators: two runs with the same seed meet
 * the same clients.
 */
import { Heap } from 'heap-js';
import { parseConfig } from '../config/source/parse.ts';
import type { ConfigInput } from '../config/schema/schema.ts';
import type { Lease } from '../data/dispatch/lease.ts';
import { UpstreamRuntime } from '../data/dispatch/upstream-runtime.ts';
import { Events } from '../model/events.ts';
import { ControlledState } from '../shared-memory/shared-state.ts';
import { upstreamSettings } from '../control/upstream/upstream-settings.ts';
import { Upstream } from '../control/upstream/upstream.ts';
import { STRATEGIES } from '../../strategies/index.ts';
import type { Engine } from '../engine/engine.ts';
import { EventClock } from './event-clock.ts';
import { seeded } from './seeded.ts';

const unused = (): never => {
  throw new Error('this simulation has no sockets');
};
const NO_ENGINE: Engine = {
  ...{ name: 'node', listen: unused, connect: unused, relay: unused, waitedMs: unused, drop: unused },
};

export interface BackendLoad {
  readonly weight: number;
  readonly maxSessions?: number;
}

export interface Recovery {
  readonly seed: number;
  /** 0: there is none. */
  readonly slowStartMs: number;
  /** The first one is down until 0. */
  readonly backends: readonly BackendLoad[];
  /** Sessions that run at a time, on average. */
  readonly sessions: number;
  readonly meanSessionMs: number;
  /** When it begins, below 0, and ends. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The counts right after a session was placed. */
export interface Placement {
  readonly atMs: number;
  /** Number of the backend that got it. */
  readonly backend: number;
  /** Live sessions of each backend, this one included. */
  readonly live: readonly number[];
}

export interface RecoveryRun {
  readonly placements: readonly Placement[];
  /** Clients for whom every backend was full. */
  readonly turnedAway: number;
  /** When the slow start began and ended. */
  readonly rampedMs: readonly number[];
}

/** Runs it to its end. The same input gives the same run. */
export function simulateRecovery(recovery: Recovery): RecoveryRun {
  const { seed, backends, sessions, meanSessionMs, fromMs, untilMs } = recovery;
  const system = createSystem(recovery);
  const { clock, upstream, runtime, live } = system;
  const load = seeded(seed);
  const exponential = (mean: number): number => Math.round(-Math.log(1 - load()) * mean);
  const ends = new Heap<{ readonly atMs: number; readonly lease: Lease }>((a, b) => a.atMs - b.atMs);
  const placements: Placement[] = [];
  let turnedAway = 0;
  let nowMs = fromMs;
  const ids = backends.map((_, number) => idOf(number));
  const [recovering = ''] = ids;

  const open = (): void => {
    // Drawn for clients that are turned away, too, so that the clients after them stay the same.
    const atMs = nowMs + exponential(meanSessionMs);
    const lease = runtime.picker.pick('192.0.2.1');
    if (typeof lease === 'string') {
      turnedAway += 1;
      return;
    }
    ends.push({ atMs, lease });
    placements.push({ atMs: nowMs, backend: ids.indexOf(lease.backend.id), live: live() });
  };
  const moveTo = (atMs: number): void => {
    clock.advance(atMs - nowMs);
    nowMs = atMs;
  };

  upstream.news.setHealthy(recovering, false, 'a check failed');
  upstream.publish();
  for (let i = 0; i < sessions; i++) open();
  let arrivesMs = fromMs + exponential(meanSessionMs / sessions);
  let isBack = false;
  for (;;) {
    const endsMs = ends.peek()?.atMs ?? Infinity;
    const nextMs = Math.min(arrivesMs, endsMs);
    if (!isBack && nextMs >= 0) {
      moveTo(0);
      upstream.news.setHealthy(recovering, true, 'a check passed');
      upstream.publish();
      isBack = true;
    }
    if (nextMs > untilMs) break;
    moveTo(nextMs);
    if (endsMs <= arrivesMs) ends.pop()?.lease.release();
    else {
      open();
      arrivesMs += exponential(meanSessionMs / sessions);
    }
  }
  upstream.stop();
  runtime.close();
  return { placements, turnedAway, rampedMs: system.rampedMs.map(ms => ms + fromMs) };
}

/** One upstream from configuration to picker. `rampedMs` counts from the beginning. */
function createSystem({ seed, slowStartMs, backends }: Recovery) {
  const input: ConfigInput = {
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [
      {
        name: 'app',
        strategy: 'leastconn',
        slowStart: slowStartMs,
        backends: backends.map((backend, number) => ({ address: idOf(number), ...backend })),
      },
    ],
  };
  const parsed = parseConfig(input);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  const clock = new EventClock();
  const { now, setTimer } = clock;
  const beganMs = now();
  const ties = seeded(-seed);
  const events = new Events();
  const rampedMs: number[] = [];
  for (const name of ['backend:slowStart', 'backend:slowStartEnded'] as const) {
    events.on(name, () => rampedMs.push(now() - beganMs));
  }
  const shared = new ControlledState({ slots: backends.length + 8 });
  const [config] = parsed.config.upstreams;
  if (config === undefined) throw new Error('the configuration has no upstream');
  const plan = { ...upstreamSettings(config, shared, false), backends: [] };
  const factory = STRATEGIES.leastconn;
  const runtime = new UpstreamRuntime(plan, factory, {
    ...{ engine: NO_ENGINE, shared, now, random: ties, setTimer },
    report: event => {
      if (event.kind === 'strategyFailed') throw new Error(event.reason);
    },
    onOthersFirst: () => undefined,
  });
  const upstream: Upstream = new Upstream(config, {
    ...{ shared, events, now, random: () => 0 },
    // Its changes are published before any other event, as at the end of a turn of the loop.
    setTimer: (callback, delayMs) =>
      setTimer(() => {
        callback();
        upstream.publish();
      }, delayMs),
    publish: published => runtime.apply(published, factory),
    settled: () => Promise.resolve(),
  });
  const slots = backends.map((_, number) => shared.slotOfBackend('app', idOf(number)).index);
  const live = (): number[] => slots.map(slot => shared.counts.live(slot));
  return { clock, upstream, runtime, live, rampedMs };
}

function idOf(number: number): string {
  return `10.0.0.${number + 1}:80`;
}
