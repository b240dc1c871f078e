/**
 * Configurations in the middle of traffic do not disturb whose turn it is: the distribution is what it would have been
 * without them.
 */
import t from 'tap';
import { createLoadBalancer, type ConfigInput } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { FULL } from '../harness/full-load.ts';
import type { Peer } from '../harness/peer.ts';
import { served } from '../harness/served-client.ts';
import { until } from '../harness/until.ts';

const PICKS = FULL ? 3_000 : 300;
/** Sessions at a time, and picks between two configurations: both fall at all positions of a turn. */
const OPEN = 22;
const EVERY = 7;
const BACKENDS = 5;

// The long variants run over each engine, and one thread is the node engine's.
for (const workers of FULL === (DATA_PLANE.engine === 'node') ? [0, 2] : [2]) {
  for (const strategy of ['roundrobin', 'leastconn'] as const) {
    const what = `${strategy} over ${workers} workers`;
    void t.test(`${what}: ${PICKS} picks across ${Math.floor(PICKS / EVERY)} configurations`, async t => {
      const all = await Promise.all(Array.from({ length: BACKENDS }, () => startBackend(t, scripts.echo)));
      const backends = all.map(({ address }) => formatAddress(address));
      const config = (round: number): ConfigInput => ({
        ...DATA_PLANE,
        ...(workers === 0 ? { engine: 'node' } : {}),
        workers,
        drainTimeout: `${round + 1}s`,
        listeners: [
          { name: 'web', bind: '127.0.0.1:0', upstream: 'app', timeouts: { idle: `${round + 60}s` } },
        ],
        upstreams: [
          { name: 'app', strategy, health: 'off', backends, connect: { timeout: `${5 + (round % 9)}s` } },
          ...(round % 2 === 0 ? [] : [{ name: `other-${round}`, health: 'off' as const, backends }]),
        ],
      });
      const balancer = createLoadBalancer(config(0));
      t.teardown(() => balancer.stop());
      await balancer.start();
      const picked = new Map(backends.map(backend => [backend, 0]));
      balancer.on('session:closed', ({ backend = '' }) =>
        picked.set(backend, (picked.get(backend) ?? 0) + 1),
      );
      const open: Peer[] = [];
      let widest = 0;
      for (let i = 0; i < PICKS; i++) {
        if (i % EVERY === EVERY - 1) await balancer.apply(config(i));
        open.push(await served(t, balancer));
        if (open.length > OPEN) {
          const held = (balancer.snapshot().upstreams[0]?.backends ?? []).map(({ sessions }) => sessions);
          widest = Math.max(widest, Math.max(...held) - Math.min(...held));
          for (const client of open.splice(0)) client.reset();
          await until('they have ended', () => balancer.snapshot().sessions === 0);
        }
      }
      for (const client of open) client.reset();
      await until('every session is counted', () => sum(picked.values()) === PICKS);
      if (strategy === 'roundrobin')
        t.same(
          [...picked.values()],
          backends.map(() => PICKS / BACKENDS),
        );
      else t.ok(widest <= 1, `the numbers of sessions differ by ${widest}`);
    });
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const each of numbers) total += each;
  return total;
}
