/**
 * Builds the mirror that the configuration asks for: connection, name, and what of an upstream is shared.
 *
 * Place: called by `load-balancer.ts` at each start. Reads the files that `redis:` names, opens nothing yet,
 * and shares no upstream before `follow` is called.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Config } from '../../config/schema/schema.ts';
import type { Events } from '../../model/events.ts';
import { Mirror } from './mirror.ts';
import { redisConnection } from './redis-connection.ts';
import { createRedisExchange } from './redis-exchange.ts';
import type { MirroredUpstream } from './upstream-mirror.ts';
import type { Lookup } from '../../names/names.ts';
import { netLookup } from '../../names/net-lookup.ts';
import { MIRROR_FAILURES, UPSTREAM } from '../../shared-memory/counters/layout.ts';
import type { ControlledState } from '../../shared-memory/shared-state.ts';
import { readSmallFile } from '../../support/small-file.ts';
import { setUnrefTimer } from '../../support/timer.ts';

/** The timeout of an exchange is one period, within these bounds. */
const TIMEOUT_MS = { min: 100, max: 1_000 };
const NAME_LENGTH = 64;

export interface CountedUpstreams {
  readonly shared: ControlledState;
  /** The backends that an upstream counts, with their slots: its own, and removed ones that still have sessions. */
  readonly countedBy: (upstream: string) => Iterable<readonly [backend: string, slot: number]>;
}

export interface MirrorMaking {
  readonly baseDir: string;
  readonly events: Events;
  now(): number;
  random(): number;
  readonly lookup: Lookup;
}

/**
 * Undefined where nothing is shared. Throws `Lb4Error` (`LB4_CONFIG_INVALID`) when a file that `redis:` names cannot
 * be used.
 */
export function createMirror({ redis }: Config, making: MirrorMaking): Mirror | undefined {
  const { baseDir, events } = making;
  if (redis === undefined) return undefined;
  const connection = redisConnection(redis, { baseDir, at: ['redis'], readFile: readSmallFile });
  const deps = { setTimer: setUnrefTimer, now: () => making.now(), random: () => making.random() };
  const timeoutMs = Math.min(Math.max(redis.publish, TIMEOUT_MS.min), TIMEOUT_MS.max);
  const lookup = netLookup(making.lookup);
  const exchange = createRedisExchange(connection, { timeoutMs }, { ...deps, lookup });
  const owner = randomUUID();
  const instance = redis.instance ?? nameOf(hostname(), owner);
  return new Mirror([], { periodMs: redis.publish, instance, owner }, { ...deps, exchange, events });
}

/** What of an upstream is shared. */
export function mirroredUpstream(name: string, { shared, countedBy }: CountedUpstreams): MirroredUpstream {
  const { counts, elsewhere } = shared;
  const { news } = shared.upstream(name);
  return {
    name,
    visit: each => {
      for (const [backend, slot] of countedBy(name)) each(backend, counts.live(slot));
    },
    sessions: () => {
      let sum = 0;
      for (const [, slot] of countedBy(name)) sum += counts.live(slot);
      return sum;
    },
    placed: () => news?.placed ?? 0,
    hear: (heard, unseen) => {
      for (const [backend, slot] of countedBy(name)) elsewhere.set(slot, heard.get(backend) ?? 0);
      news?.hear(unseen);
    },
    failed: reason => {
      const slot = shared.findUpstream(name);
      const { mirrorFailures } = UPSTREAM;
      if (slot !== undefined)
        shared.controlled.cells(slot).add(mirrorFailures, MIRROR_FAILURES.indexOf(reason), 1);
    },
  };
}

/** A name that people recognise and that differs for each process: `web-1-3f9a2c`. */
function nameOf(host: string, owner: string): string {
  const random = owner.slice(0, 6);
  const readable = host.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return `${readable.slice(0, NAME_LENGTH - random.length - 1) || 'lb4'}-${random}`;
}
