/**
 * Whatever happens, in whatever order: the script's totals, kept by difference, are those of the plain model, which
 * sums everything up each time.
 */
import assert from 'node:assert/strict';
import t from 'tap';
import type { NameTaken, Publication, Totals } from '../../../../src/control/mirror/exchange.ts';
import { exchangeKeys } from '../../../../src/control/mirror/exchange-keys.ts';
import { createRedisExchange } from '../../../../src/control/mirror/redis-exchange.ts';
import { fc } from '../../../harness/properties.ts';
import { REDIS_DEPS } from '../../../harness/redis-deps.ts';
import { MemoryHub } from '../../../../src/sim/memory-exchange.ts';
import { skipWithoutRedis, startRedisServer } from '../../../harness/redis-server.ts';

const LEASE_MS = 60_000;
const BACKENDS = Array.from({ length: 12 }, (_, i) => `10.0.0.${i}:80`);
const [INSTANCES, OWNERS] = [
  ['a', 'b', 'c', 'd'],
  ['first', 'second'],
];

type Step =
  | {
      readonly kind: 'publish';
      readonly counts: readonly (readonly [string, number])[];
      readonly unseen: number;
    }
  | { readonly kind: 'nudge'; readonly backend: string }
  | { readonly kind: 'withdraw' | 'expire' | 'flush' | 'forgetState' | 'forgetLoad' };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      counts: fc.uniqueArray(fc.tuple(fc.constantFrom(...BACKENDS), fc.nat(50)), {
        selector: ([backend]) => backend,
      }),
      unseen: fc.nat(20_000).map(thousandths => thousandths / 1000),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('nudge' as const), backend: fc.constantFrom(...BACKENDS) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('withdraw', 'expire', 'flush', 'forgetState', 'forgetLoad'),
    }),
  },
);
const anyHistory = fc.array(
  fc.tuple(
    fc.constantFrom(...INSTANCES),
    fc.constantFrom(...OWNERS, 'first', 'first'),
    fc.boolean(),
    anyStep,
  ),
  { minLength: 1, maxLength: 60 },
);

void t.test(
  'random histories lead to the same totals as in the model',
  { skip: skipWithoutRedis() },
  async t => {
    const redis = await startRedisServer(t);
    const exchange = createRedisExchange(redis.connection, { timeoutMs: 5_000 }, REDIS_DEPS);
    t.teardown(() => {
      exchange.close();
    });
    let histories = 0;

    await fc.assert(
      fc.asyncProperty(anyHistory, async history => {
        const upstream = `up-${++histories}`;
        const hub = new MemoryHub({ now: () => 1_000 });
        let number = 0;
        const last = new Map<string, ReadonlyMap<string, number>>();
        for (const [at, [instance, owner, isLate, step]] of history.entries()) {
          // Who is late comes before the last one who was not; no number is there twice.
          if (!isLate) number += 1_000;
          const who = {
            ...{ upstream, instance, number: isLate ? number - 1_000 + at + 1 : number },
            // No two processes have the same one.
            owner: `${instance}-${owner}`,
          };
          if (step.kind === 'publish' || step.kind === 'nudge') {
            const counts = new Map(step.kind === 'publish' ? step.counts : last.get(instance));
            if (step.kind === 'nudge') counts.set(step.backend, (counts.get(step.backend) ?? 0) + 1);
            const unseen = step.kind === 'publish' ? step.unseen : 1;
            const publication: Publication = { ...who, leaseMs: LEASE_MS, counts, unseen };
            const [real, model] = [await exchange.exchange(publication), hub.publish(publication)];
            assert.deepEqual(comparable(real), comparable(model));
            if (model.kind === 'totals' && !isLate) last.set(instance, counts);
          } else {
            await disturb(step.kind, who);
          }
        }

        async function disturb(
          kind: Exclude<Step['kind'], 'publish' | 'nudge'>,
          who: Pick<Publication, 'upstream' | 'instance' | 'owner' | 'number'>,
        ): Promise<void> {
          const [own, instances, state, load] = exchangeKeys(upstream, who.instance);
          switch (kind) {
            case 'withdraw':
              await exchange.withdraw(who);
              hub.withdraw(who);
              break;
            case 'expire':
              // As after a lease of silence.
              await redis.admin.del(own);
              await redis.admin.zadd(instances, 'XX', 'INCR', -LEASE_MS, who.instance);
              hub.expire(upstream, who.instance);
              break;
            case 'flush':
              await redis.admin.flushall();
              hub.flush();
              break;
            case 'forgetState':
              await redis.admin.del(state);
              break;
            case 'forgetLoad':
              await redis.admin.del(load);
              break;
          }
        }
      }),
      { numRuns: 150 },
    );
    t.pass(`${histories} histories`);
  },
);

/** All but what depends on the clock. */
function comparable(answer: Totals | NameTaken): unknown {
  if (answer.kind === 'nameTaken') return answer;
  const { totals, others, unseen, wasUnknown } = answer;
  return {
    totals: [...totals].sort(([a], [b]) => (a < b ? -1 : 1)),
    others: others.toSorted(),
    unseen: Math.round(unseen * 1000),
    wasUnknown,
  };
}
