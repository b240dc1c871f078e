/**
 * Configurations at random that can follow each other while clients are served: listeners, upstreams and backends come
 * and go, and every setting changes. And what has to be shown when one of them is in force.
 *
 * Place: tests of `apply` and of reloads. Unlike those of random-config.ts, each of these works.
 */
import { parseConfig } from '../../src/config/source/parse.ts';
import type { BackendInput, Config, ConfigInput } from '../../src/config/schema/schema.ts';
import type { LoadBalancerSnapshot } from '../../src/model/snapshot.ts';
import { formatAddress } from '../../src/support/address.ts';

const STRATEGIES = ['leastconn', 'roundrobin', 'iphash', 'random', 'p2c', 'ewma', 'first'] as const;

/** Of upstreams; the first is always there. */
const NAMES: readonly string[] = ['app', 'b', 'c', 'd', 'e'];

type Upstream = ConfigInput['upstreams'][number];

/** What cannot change. */
export type Place = Pick<ConfigInput, 'engine' | 'workers'>;

/** Where listeners and backends may be. */
export interface Addresses {
  /** Of a backend that listens on every address of 127.0.0.0/8. */
  readonly backendPort: number;
  /** Backends have one of so many networks in their upstream's; by default few, so that the same ones come back. */
  readonly networks?: number;
  /** The listeners' own ports, which go from one to the other; by default each has one that the system gives it. */
  readonly ports?: Ports;
}

export interface Ports {
  /** Some listener has these at any time, */
  readonly always: readonly number[];
  /** and these now and then. */
  readonly sometimes: readonly number[];
}

/** Listener `web` and upstream `app` are always there; all else is as chance will have it. */
export function configAtRandom(
  place: Place,
  random: () => number,
  { backendPort, networks = 21, ports }: Addresses,
): ConfigInput {
  const upTo = (most: number): number => Math.floor(random() * (most + 1));
  const one = <const T>(...of: readonly T[]): T => of[upTo(of.length - 1)]!;
  const backendsOf = (upstream: number): Upstream['backends'] =>
    Array.from({ length: 1 + upTo(4) }, (_, i) => ({
      // No address is in two upstreams, or twice in one.
      address: `127.${1 + upstream}.${upTo(networks - 1)}.${1 + i}:${backendPort}`,
      weight: 1 + upTo(3),
      ...(random() < 0.2 ? { maxSessions: 200 + upTo(100) } : {}),
      ...(i > 0 && random() < 0.1 ? { backup: true } : {}),
    }));
  const names = NAMES.filter((_, i) => i === 0 || random() < 0.5);
  const upstreams = names.map((name): Upstream => ({
    name,
    strategy: one(...STRATEGIES),
    backends: backendsOf(NAMES.indexOf(name)),
    health: one<Upstream['health']>('off', { type: 'tcp', interval: one('300ms', '1s') }),
    pool: one<NonNullable<Upstream['pool']>>({}, {}, { warm: 1 + upTo(3) }, { reuse: true, warm: upTo(2) }),
    connect: { timeout: one('4s', '5s'), rounds: 1 + upTo(1) },
    queue: { max: 500 + upTo(500), timeout: one('8s', '9s') },
    slowStart: one('0s', '500ms'),
    ejection: one<Upstream['ejection']>('off', { failures: 5 + upTo(5) }),
    ...(random() < 0.3 ? { sticky: { max: 100 + upTo(1), ttl: one('1m', '2m') } } : {}),
  }));
  const others = ['web-2', 'web-3', 'web-4'].filter(() => random() < 0.5);
  const binds = bindsAtRandom(['web', ...others], random, ports);
  const listeners = [...binds].map(([name, bind]): ConfigInput['listeners'][number] => ({
    name,
    bind,
    upstream: one(...names),
    limits: random() < 0.5 ? { maxSessions: 1_000 + upTo(1_000) } : {},
    timeouts: { idle: one('30s', '1m'), halfClosed: one('10s', '20s') },
    ...(random() < 0.3 ? { keepalive: { idle: one('1m', '2m') } } : {}),
    whenUnavailable: one('reset', 'close', 'http503'),
  }));
  // The order of the list is part of it.
  if (random() < 0.3) listeners.push(...listeners.splice(1, 1));
  return { ...place, listeners, upstreams, limits: { maxSessions: 2_000 + upTo(1_000) } };
}

/** The next one, of which some is as it was: whole upstreams, or all of them but the weights. */
export function changedAtRandom(before: ConfigInput, next: ConfigInput, random: () => number): ConfigInput {
  const old = new Map(before.upstreams.map(upstream => [upstream.name, upstream]));
  const upstreams = next.upstreams.map(upstream => {
    const same = old.get(upstream.name);
    if (same === undefined || random() < 0.4) return upstream;
    return random() < 0.5
      ? same
      : { ...same, backends: same.backends?.map(each => reweighted(each, random)) };
  });
  return { ...next, upstreams };
}

function reweighted(backend: BackendInput, random: () => number): typeof backend {
  return typeof backend === 'string' ? backend : { ...backend, weight: 1 + Math.floor(random() * 4) };
}

/** What each of these listeners listens at; without ports of their own none is left out. */
function bindsAtRandom(
  names: readonly string[],
  random: () => number,
  ports?: Ports,
): ReadonlyMap<string, string[]> {
  const binds = new Map(names.map(name => [name, ports === undefined ? ['127.0.0.1:0'] : []]));
  if (ports === undefined) return binds;
  const [first, ...others] = ports.always;
  const open = [...others, ...ports.sometimes.filter(() => random() < 0.5)];
  binds.get('web')?.push(`127.0.0.1:${first}`);
  for (const port of open)
    binds.get(names[Math.floor(random() * names.length)] ?? '')?.push(`127.0.0.1:${port}`);
  return new Map([...binds].filter(([, bind]) => bind.length > 0));
}

export function parsed(input: ConfigInput): Config {
  const result = parseConfig(input);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.config;
}

/** What a configuration decides of what `snapshot()` or `GET /api/v1/status` shows, and how many sessions there are. */
export function shownIn({ listeners, upstreams, maxSessions }: LoadBalancerSnapshot): unknown {
  return {
    maxSessions,
    listeners: listeners.map(({ name, addresses, sessions }) => ({
      name,
      addresses: addresses.length,
      sessions,
    })),
    upstreams: upstreams.map(({ name, strategy, queue, backends }) => ({
      ...{ name, strategy, queue: queue.max },
      backends: backends.map(({ backend, weight, backup, sessions }) => ({
        backend,
        weight,
        backup,
        sessions,
      })),
    })),
  };
}

/** What `shownIn` gives where this configuration is in force and no session runs. */
export function expectedFrom({ listeners, upstreams, limits }: Config): unknown {
  return {
    maxSessions: limits.maxSessions,
    listeners: listeners.map(({ name, bind }) => ({ name, addresses: bind.length, sessions: 0 })),
    upstreams: upstreams.map(({ name, strategy, queue, backends }) => ({
      ...{ name, strategy, queue: queue.max },
      backends: backends.map(({ address, weight, backup }) => ({
        ...{ backend: formatAddress(address), weight, backup, sessions: 0 },
      })),
    })),
  };
}
