/**
 * What the configuration means for a data plane: as plain values that can be posted to a worker, and with the
 * strategies loaded.
 *
 * Place: between `load-balancer.ts` and the data plane. Strategies are functions, which no thread can hand to
 * another: every thread that balances loads its own.
 */
import { loadStrategy } from '../strategies/load-strategy.ts';
import { ConfigError } from './config/config-error.ts';
import type { Config } from './config/schema.ts';
import type { DataPlaneSettings } from './data-plane.ts';
import type { UpstreamSettings } from './dispatch/upstream-runtime.ts';
import type { SocketOptions } from './engine/engine.ts';
import { wordsOf } from './errors.ts';
import type { ControlledState } from './shared-memory/shared-state.ts';
import type { ListenAddress } from './support/address.ts';

export interface PlainSettings extends Omit<DataPlaneSettings, 'listeners' | 'upstreams'> {
  readonly listeners: readonly (Omit<DataPlaneSettings['listeners'][number], 'bind'> & {
    readonly bind: readonly ListenAddress[];
  })[];
  /** `strategy`: a name or a path, as configured. */
  readonly upstreams: readonly (Omit<UpstreamSettings, 'factory'> & { readonly strategy: string })[];
}

/** @param maxSessions what this machine allows; Infinity for no limit */
export function plainSettings(config: Config, shared: ControlledState, maxSessions: number): PlainSettings {
  const { listeners, upstreams, limits } = config;
  return {
    maxSessions: Math.min(limits.maxSessions ?? Infinity, maxSessions),
    slot: shared.slotOfInstance(),
    listeners: listeners.map(
      ({ name, bind, upstream, whenUnavailable, timeouts, limits: own, ...sockets }) => ({
        name,
        bind,
        sockets: socketOptions(sockets),
        upstream,
        whenUnavailable,
        maxSessions: own.maxSessions ?? Infinity,
        slot: shared.slotOfListener(name),
        timeouts: {
          idleMs: timeouts.idle,
          halfClosedMs: timeouts.halfClosed,
          lifetimeMs: timeouts.lifetime,
        },
      }),
    ),
    upstreams: upstreams.map(({ name, strategy, connect, pool, ejection, queue, backups, ...sockets }) => ({
      name,
      memory: shared.upstream(name).memory,
      strategy,
      backups,
      sockets: socketOptions(sockets),
      connect: {
        timeoutMs: connect.timeout,
        attempts: connect.attempts,
        retriesPerBackend: connect.retriesPerBackend,
        retryDelayMs: connect.retryDelay,
        rounds: connect.rounds,
        backoffMs: connect.backoff,
        deadlineMs: connect.deadline,
        retryBudget: connect.retryBudget,
      },
      pool: { warm: pool.warm, maxIdleMs: pool.maxIdle, reuse: pool.reuse },
      ejection: { failures: ejection.failures, earlyCloseMs: ejection.earlyClose },
      queue: { max: queue.max, timeoutMs: queue.timeout, slot: shared.slotOfQueue(name) },
    })),
  };
}

function socketOptions({
  keepalive,
  userTimeout,
}: Pick<Config['listeners'][number], 'keepalive' | 'userTimeout'>): SocketOptions {
  return {
    keepalive: keepalive && {
      idleMs: keepalive.idle,
      intervalMs: keepalive.interval,
      count: keepalive.count,
    },
    userTimeoutMs: userTimeout === 0 ? undefined : userTimeout,
  };
}

/** Loads the strategies into this thread; rejects with LB4_STRATEGY_INVALID naming the upstream. */
export async function withStrategies(
  { upstreams, ...rest }: PlainSettings,
  baseDir: string,
): Promise<DataPlaneSettings> {
  return {
    ...rest,
    upstreams: await Promise.all(
      upstreams.map(async ({ strategy, ...upstream }) => ({
        ...upstream,
        factory: await load(upstream.name, strategy, baseDir),
      })),
    ),
  };
}

async function load(upstream: string, strategy: string, baseDir: string): ReturnType<typeof loadStrategy> {
  try {
    return await loadStrategy(strategy, baseDir);
  } catch (error) {
    const message = wordsOf(error);
    const path = ['upstreams', upstream, 'strategy'];
    const issue = { path, kind: 'value', expected: 'a strategy', got: strategy, message } as const;
    throw new ConfigError([issue], 'LB4_STRATEGY_INVALID', error);
  }
}
