/**
 * Configurations at random that can follow each other while clients are served: listeners, upstreams and backends come
 * and go, and every setting changes. And what has to be shown when one of them is in force.
 *
 * Place: tests of `apply` and of reloads. Unlike those of random-config.ts, each of these works.
 */
import { parseConfig } from '../../src/config/source/parse.ts';
import type { Config, ConfigInput } from '../../src/config/schema/schema.ts';
import type { LoadBalancerSnapshot } from '../../src/model/snapshot.ts';
import { formatAddress } from '../../src/support/address.ts';

const STRATEGIES = ['leastconn', 'roundrobin', 'iphash', 'random', 'p2c', 'ewma', 'first'] as const;

type Upstream = ConfigInput['upstreams'][number];

/** What cannot change. */
export type Place = Pick<ConfigInput, 'engine' | 'workers'>;

/**
 * Listener `web` and upstream `app` are always there; all else is as chance will have it.
 *
 * @param port of a backend that listens on every address of 127.0.0.0/8
 */
export function configAtRandom(place: Place, random: () => number, port: number): ConfigInput {
  const upTo = (most: number): number => Math.floor(random() * (most + 1));
  const one = <const T>(...of: readonly T[]): T => of[upTo(of.length - 1)]!;
  const backendsOf = (name: number): Upstream['backends'] =>
    Array.from({ length: 1 + upTo(4) }, (_, i) => ({
      // Distinct within an upstream: each has a network of its own.
      address: `127.${1 + name}.${upTo(20)}.${1 + i}:${port}`,
      weight: 1 + upTo(3),
      ...(random() < 0.2 ? { maxSessions: 200 + upTo(100) } : {}),
      ...(i > 0 && random() < 0.1 ? { backup: true } : {}),
    }));
  const names = ['app', ...['b', 'c', 'd', 'e'].filter(() => random() < 0.5)];
  const upstreams = names.map((name, number): Upstream => ({
    name,
    strategy: one(...STRATEGIES),
    backends: backendsOf(number),
    health: one<Upstream['health']>('off', { type: 'tcp', interval: one('300ms', '1s') }),
    pool: one<NonNullable<Upstream['pool']>>({}, {}, { warm: 1 + upTo(3) }, { reuse: true, warm: upTo(2) }),
    connect: { timeout: one('4s', '5s'), rounds: 1 + upTo(1) },
    queue: { max: 500 + upTo(500), timeout: one('8s', '9s') },
    slowStart: one('0s', '500ms'),
    ejection: one<Upstream['ejection']>('off', { failures: 5 + upTo(5) }),
    ...(random() < 0.3 ? { sticky: { max: 100 + upTo(1), ttl: one('1m', '2m') } } : {}),
  }));
  const others = ['web-2', 'web-3', 'web-4'].filter(() => random() < 0.5);
  const listeners = ['web', ...others].map((name): ConfigInput['listeners'][number] => ({
    name,
    bind: ['127.0.0.1:0'],
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
    listeners: listeners.map(({ name }) => ({ name, addresses: 1, sessions: 0 })),
    upstreams: upstreams.map(({ name, strategy, queue, backends }) => ({
      ...{ name, strategy, queue: queue.max },
      backends: backends.map(({ address, weight, backup }) => ({
        ...{ backend: formatAddress(address), weight, backup, sessions: 0 },
      })),
    })),
  };
}
