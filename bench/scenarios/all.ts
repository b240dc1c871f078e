/**
 * Every scenario of `npm run bench`, with its size: the full one and the quick one, and the groups they come in.
 */
import { runAb } from '../load/ab.ts';
import { runConnections } from '../load/connect-client.ts';
import type { Children } from '../processes/children.ts';
import { createBesideBulk } from './beside-bulk.ts';
import { createBulk } from './bulk.ts';
import { createConnect, type ConnectSettings } from './connect.ts';
import { createIdle } from './idle.ts';
import { createLatency } from './latency.ts';
import { createMirrorCost } from './mirror.ts';
import { createRequests, type RequestsSettings } from './requests.ts';
import { PLAIN_SETUP, TLS_SETUP, type Scenario, type Setup } from './scenario.ts';
import { createSegments } from './segments.ts';
import { createStart } from './start.ts';
import { createSyscalls } from './syscalls.ts';
import { createTlsConnect } from './tls-connect.ts';

export const SCENARIO_NAMES = [
  'small',
  'medium',
  'bulk',
  'connect',
  'cold',
  'idle',
  'latency',
  'beside-bulk',
  'syscalls',
  'segments',
  'start',
  'small-1k',
  'small-9k',
  'connect-beside-9k',
  'idle-9k',
  'small-2b',
  'small-64b',
  'small-1024b',
  'connect-2b',
  'connect-64b',
  'connect-1024b',
  'small-2w',
  'bulk-2w',
  'connect-2w',
  'small-9k-2w',
  'small-1024b-2w',
  'connect-1024b-2w',
  'mirror',
  'tls-connect',
  'tls-resume',
  'tls-bulk',
] as const;

export type ScenarioName = (typeof SCENARIO_NAMES)[number];

/** Those that take longest, and `idle`, which hardly varies. */
const LONG: ReadonlySet<ScenarioName> = new Set<ScenarioName>(['idle', 'latency', 'beside-bulk']);

/** What `--only` takes beside single names. `table` is what runs when nothing is chosen: the table of goals. */
export const SCENARIO_GROUPS = {
  all: SCENARIO_NAMES,
  table: [
    'small',
    'bulk',
    'connect',
    'cold',
    'idle',
    'latency',
    'beside-bulk',
    'syscalls',
    'segments',
    'start',
  ],
  quick: ['small', 'bulk', 'connect', 'idle', 'latency', 'syscalls', 'segments'],
  sizes: ['small', 'medium', 'bulk'],
  sessions: [
    'small',
    'small-1k',
    'small-9k',
    'connect',
    'connect-beside-9k',
    'idle',
    'idle-9k',
    'small-9k-2w',
  ],
  backends: [
    'small-2b',
    'small-64b',
    'small-1024b',
    'connect-2b',
    'connect-64b',
    'connect-1024b',
    'small-1024b-2w',
    'connect-1024b-2w',
  ],
  tls: ['tls-connect', 'tls-resume', 'tls-bulk'],
  workers: ['small-2w', 'bulk-2w', 'connect-2w', 'small-9k-2w', 'small-1024b-2w', 'connect-1024b-2w'],
} as const satisfies Record<string, readonly ScenarioName[]>;

export interface ScenarioDeps {
  readonly children: Children;
  readonly quick: boolean;
  /** False: new connections are made by a client in this process. */
  readonly hasAb: boolean;
  /** Requests per second of the latency scenario; undefined: half of the slower rival's peak, or what the load core bears. */
  readonly ratePerSecond: number | undefined;
  /** Rounds of the scenarios that take longest; undefined: as many as of the others. */
  readonly longRounds: number | undefined;
}

/** The scenarios asked for, in the table's order. */
export function createScenarios(names: readonly ScenarioName[], deps: ScenarioDeps): Scenario[] {
  const { children, quick, hasAb } = deps;
  const windowMs = { warmUpMs: quick ? 400 : 1_000, measureMs: quick ? 800 : 2_000 };
  const client = hasAb
    ? (load: Parameters<typeof runConnections>[0]) => runAb(load, children)
    : runConnections;

  const requests = (name: string, settings: Partial<RequestsSettings>): Scenario =>
    createRequests({ name, size: 'small', setup: PLAIN_SETUP, connections: 100, ...windowMs, ...settings });
  const bulk = (name: string, setup: Setup): Scenario =>
    createBulk({
      name,
      setup,
      connections: 16,
      warmUpMs: quick ? 200 : 400,
      measureMs: quick ? 600 : 1_500,
    });
  const connect = (name: string, setup: Setup, settings: Partial<ConnectSettings> = {}): Scenario =>
    createConnect({
      name,
      setup,
      openSessions: 0,
      concurrency: 100,
      warmUpRequests: quick ? 3_000 : 10_000,
      requests: quick ? 3_000 : 8_000,
      clientName: hasAb ? 'ab' : 'own client (no ab here)',
      client,
      ...settings,
    });

  const handshakes = (name: string, resume: boolean): Scenario =>
    createTlsConnect({
      name,
      resume,
      concurrency: 20,
      warmUpRequests: quick ? 500 : 2_000,
      requests: quick ? 1_000 : 4_000,
    });

  const factories: Record<ScenarioName, (name: ScenarioName) => Scenario> = {
    small: name => requests(name, {}),
    medium: name => requests(name, { size: 'medium' }),
    bulk: name => bulk(name, PLAIN_SETUP),
    connect: name => connect(name, PLAIN_SETUP),
    cold: name => connect(name, PLAIN_SETUP, { warmUpRequests: 0, requests: 10_000 }),
    idle: name => createIdle({ name, sessions: 2_000, warmUpSessions: quick ? 1_000 : 2_000 }),
    latency: () =>
      createLatency({
        connections: 100,
        ratePerSecond: deps.ratePerSecond,
        peakMs: quick ? 600 : 1_500,
        warmUpMs: quick ? 400 : 4_000,
        measureMs: quick ? 1_000 : 4_000,
      }),
    'beside-bulk': () =>
      createBesideBulk({
        children,
        flows: 8,
        connections: 50,
        ratePerSecond: 2_000,
        warmUpMs: quick ? 400 : 1_000,
        measureMs: quick ? 1_000 : 3_000,
      }),
    syscalls: () =>
      createSyscalls({
        children,
        concurrency: 100,
        baseSessions: 500,
        sessions: quick ? 1_000 : 2_000,
        client,
      }),
    segments: () =>
      createSegments({ concurrency: 100, warmUpSessions: 200, sessions: quick ? 1_000 : 5_000, client }),
    start: () => createStart({ setup: TWO_WORKERS }),
    'small-1k': name => requests(name, { connections: 1_000 }),
    'small-9k': name => requests(name, { connections: MANY }),
    'connect-beside-9k': name => connect(name, PLAIN_SETUP, { openSessions: MANY }),
    'idle-9k': name => createIdle({ name, sessions: MANY, warmUpSessions: 2_000 }),
    'small-2b': name => requests(name, { setup: leastconnOver(2) }),
    'small-64b': name => requests(name, { setup: leastconnOver(64) }),
    'small-1024b': name => requests(name, { setup: leastconnOver(1024) }),
    'connect-2b': name => connect(name, leastconnOver(2)),
    'connect-64b': name => connect(name, leastconnOver(64)),
    'connect-1024b': name => connect(name, leastconnOver(1024)),
    'small-2w': name => requests(name, { setup: TWO_WORKERS }),
    'bulk-2w': name => bulk(name, TWO_WORKERS),
    'connect-2w': name => connect(name, TWO_WORKERS),
    'small-9k-2w': name => requests(name, { setup: TWO_WORKERS, connections: MANY }),
    'small-1024b-2w': name => requests(name, { setup: { ...leastconnOver(1024), workers: 2 } }),
    'connect-1024b-2w': name => connect(name, { ...leastconnOver(1024), workers: 2 }),
    mirror: () =>
      createMirrorCost({
        children,
        warmUpMs: quick ? 1_000 : 15_000,
        measureMs: quick ? 2_000 : 10_000,
      }),
    'tls-connect': name => handshakes(name, false),
    'tls-resume': name => handshakes(name, true),
    'tls-bulk': name => bulk(name, TLS_SETUP),
  };
  return SCENARIO_NAMES.filter(name => names.includes(name)).map(name => {
    const isShort = deps.longRounds === undefined || !LONG.has(name);
    return isShort ? factories[name](name) : { ...factories[name](name), maxRounds: deps.longRounds };
  });
}

/** With `ulimit -n` at 20,000, a balancer has descriptors for little more. */
const MANY = 9_000;

const TWO_WORKERS: Setup = { ...PLAIN_SETUP, workers: 2 };

function leastconnOver(backends: number): Setup {
  return { ...PLAIN_SETUP, backends, strategy: 'leastconn' };
}
