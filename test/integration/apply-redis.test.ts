/** Sharing counts through Redis begins, changes and ends while the balancer runs. */
import t, { type Test } from 'tap';
import { createLoadBalancer, type ConfigInput, type LoadBalancer } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { skipWithoutRedis, startRedisServer } from '../harness/redis-server.ts';
import { served } from '../harness/served-client.ts';
import { until } from '../harness/until.ts';

const places = {
  workers: { ...DATA_PLANE, workers: 2 },
  ...OWN_THREAD,
} as const;

for (const [place, dataPlane] of Object.entries(places)) {
  void t.test(`redis can change while it runs, over ${place}`, { skip: skipWithoutRedis() }, async t => {
    const redis = await startRedisServer(t);
    const backends = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)].map(each =>
      formatAddress(each.address),
    );
    const config = (name: string, database?: number): ConfigInput => ({
      ...dataPlane,
      listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
      upstreams: [{ name: 'app', health: 'off', backends }],
      ...(database === undefined
        ? {}
        : {
            redis: {
              url: `redis://127.0.0.1:${redis.port}/${database}`,
              publish: '50ms',
              instance: name,
            },
          }),
    });
    const start = async (t: Test, input: ConfigInput): Promise<LoadBalancer> => {
      const balancer = createLoadBalancer(input);
      t.teardown(() => balancer.stop());
      await balancer.start();
      return balancer;
    };
    const seenBy = (balancer: LoadBalancer): number =>
      balancer
        .snapshot()
        .upstreams.flatMap(each => each.backends)
        .reduce((sum, each) => sum + each.elsewhere, 0);
    const othersOf = (balancer: LoadBalancer): unknown => balancer.snapshot().mirror?.upstreams[0]?.others;

    const [one, other] = [await start(t, config('one')), await start(t, config('other', 1))];
    for (let i = 0; i < 3; i++) await served(t, other);
    t.equal(one.snapshot().mirror, undefined);

    await one.apply(config('one', 1));
    await until('it sees the sessions of the other', () => seenBy(one) === 3);
    t.same(othersOf(one), ['other']);
    const client = await served(t, one);
    await until('and the other its own', () => seenBy(other) === 1);

    await one.apply(config('one', 2));
    await until('in another database it is alone', () => JSON.stringify(othersOf(one)) === '[]');
    t.equal(seenBy(one), 0);
    await until('and the other is, too', () => seenBy(other) === 0);

    // The same name as before, there and back.
    await one.apply(config('one', 1));
    await until('it is back', () => seenBy(one) === 3 && seenBy(other) === 1);

    await one.apply(config('one'));
    t.equal(one.snapshot().mirror, undefined);
    t.equal(seenBy(one), 0);
    await until('the other sees it no more', () => seenBy(other) === 0);
    // With counts of the other, all of these would have gone to one backend or none.
    const more = [await served(t, one), await served(t, one), await served(t, one)];
    t.same(
      one.snapshot().upstreams[0]?.backends.map(({ sessions }) => sessions),
      [2, 2],
    );
    for (const each of [client, ...more]) {
      await each.send('y');
      await each.untilText('xy');
    }
  });
}
