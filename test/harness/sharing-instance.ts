/**
 * One instance that shares its counts, for tests that look at the exchange rather than at what it is for.
 */
import type { Exchange, ExchangeError, NameTaken, Totals } from '../../src/control/mirror/exchange.ts';
import type { RedisConnection } from '../../src/control/mirror/redis-connection.ts';
import { createRedisExchange } from '../../src/control/mirror/redis-exchange.ts';
import { REDIS_DEPS } from './redis-deps.ts';
import type { Teardown } from './redis-server.ts';
import { pause } from './until.ts';

export interface SharingInstance {
  readonly exchange: Exchange;
  /** Publishes these counts, with a number of its own each time. */
  say(counts: Readonly<Record<string, number>>, upstream?: string): Promise<Totals | NameTaken>;
  /** Publishes one session and resolves with why that failed, or 'fine'. */
  trouble(upstream?: string): Promise<string>;
  /** As above, with the message for people. */
  failure(upstream?: string): Promise<ExchangeError | undefined>;
  /** Publishes until it succeeds or fails as wanted; rejects after ten seconds. */
  untilTrouble(reason: string): Promise<void>;
}

/** Connects; closes with the test. */
export function shareOver(
  t: Teardown,
  connection: RedisConnection,
  { timeoutMs = 1_000, instance = 'a', leaseMs = 60_000, lookup = REDIS_DEPS.lookup } = {},
): SharingInstance {
  const exchange = createRedisExchange(connection, { timeoutMs }, { ...REDIS_DEPS, lookup });
  t.teardown(() => {
    exchange.close();
  });
  let number = 0;
  const self: SharingInstance = {
    exchange,
    say: (counts, upstream = 'app') =>
      exchange.exchange({
        ...{ upstream, instance, owner: `${instance}'s owner`, number: ++number, leaseMs },
        ...{ counts: new Map(Object.entries(counts)), unseen: 0 },
      }),
    failure: async upstream => {
      try {
        await self.say({ 'x:1': 1 }, upstream);
        return undefined;
      } catch (error) {
        // The contract promises this class; a test that looks at the reason fails if it is another.
        return error as ExchangeError;
      }
    },
    trouble: async upstream => {
      const failure = await self.failure(upstream);
      return failure === undefined ? 'fine' : failure.reason;
    },
    untilTrouble: async reason => {
      const deadline = performance.now() + 10_000;
      const seen = new Set<string>();
      for (;;) {
        const trouble = await self.trouble();
        if (trouble === reason) return;
        seen.add(trouble);
        if (performance.now() > deadline) {
          throw new Error(`waited in vain for ${reason}, had ${[...seen].join(', ')}`);
        }
        await pause(20);
      }
    },
  };
  return self;
}
