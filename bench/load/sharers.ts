/**
 * Instances that share counts with the measured ones, for Redis's sake: the mirror and the connections that lb4 has,
 * over sessions that are only counted, all in this process.
 *
 * Place: scenarios/mirror.ts, on the load core. To Redis they are a process each; to the measured instances they
 * are on other machines, where they do not share a core and its caches with them.
 */
import { randomUUID } from 'node:crypto';
import { Events } from '../../src/model/events.ts';
import { Mirror } from '../../src/control/mirror/mirror.ts';
import { createRedisExchange } from '../../src/control/mirror/redis-exchange.ts';
import { Names } from '../../src/names/names.ts';
import { netLookup } from '../../src/names/net-lookup.ts';
import { setUnrefTimer } from '../../src/support/timer.ts';

export interface SharersSettings {
  readonly count: number;
  /** Of a Redis on this machine. */
  readonly port: number;
  readonly upstream: string;
  readonly backends: readonly string[];
  readonly periodMs: number;
}

export interface Sharers {
  /** From now on each of them has so many new sessions a second, at random, that live so long. */
  load(load: { readonly perInstance: number; readonly sessionMs: number }): void;
  /** Takes their counts out and closes their connections. */
  stop(): Promise<void>;
}

/** As long as a Redis on the same machine may take. */
const TIMEOUT_MS = 250;
const TICK_MS = 5;

export function startSharers({ count, port, upstream, backends, periodMs }: SharersSettings): Sharers {
  const now = (): number => performance.now();
  const deps = { setTimer: setUnrefTimer, now, random: Math.random, events: new Events() };
  const names = new Names();
  const redisDeps = { ...deps, lookup: netLookup(host => names.lookup(host)) };
  const connection = {
    topology: { kind: 'single', node: { host: '127.0.0.1', port } },
    database: 0,
  } as const;
  let wanted = { perInstance: 0, sessionMs: 0 };

  const sharers = Array.from({ length: count }, (_, index) => {
    const live = new Map(backends.map(backend => [backend, 0]));
    const change = (backend: string, by: number): void => {
      live.set(backend, (live.get(backend) ?? 0) + by);
    };
    let sessions = 0;
    let placed = 0;
    const place = (): void => {
      const backend = backends[Math.floor(Math.random() * backends.length)] ?? '';
      change(backend, 1);
      sessions++;
      placed++;
      setTimeout(() => {
        change(backend, -1);
        sessions--;
      }, wanted.sessionMs).unref();
    };
    const mirror = new Mirror(
      [
        {
          name: upstream,
          visit: each => live.forEach((held, backend) => each(backend, held)),
          sessions: () => sessions,
          placed: () => placed,
          hear: () => undefined,
          failed: () => undefined,
        },
      ],
      { periodMs, instance: `sharer-${String(index)}`, owner: randomUUID() },
      { ...deps, exchange: createRedisExchange(connection, { timeoutMs: TIMEOUT_MS }, redisDeps) },
    );
    // Instances were not started in the same moment.
    setTimeout(() => mirror.start(), Math.random() * periodMs);
    return { mirror, place };
  });

  let last = now();
  const timer = setInterval(() => {
    const passedMs = now() - last;
    last += passedMs;
    const probability = (wanted.perInstance * passedMs) / 1000;
    for (const { place } of sharers) if (Math.random() < probability) place();
  }, TICK_MS);

  return {
    load: load => {
      wanted = load;
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(sharers.map(({ mirror }) => mirror.stop()));
    },
  };
}
