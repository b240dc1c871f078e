/** The limit of a backend's pool is the limit that the backend has now, not the one that it began with. */
import t, { type Test } from 'tap';
import { createLoadBalancer, type ConfigInput, type LoadBalancer } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { ONE_THREAD } from '../harness/data-plane.ts';
import type { Peer } from '../harness/peer.ts';
import { served } from '../harness/served-client.ts';
import { until } from '../harness/until.ts';

type Upstream = ConfigInput['upstreams'][number];

async function start(t: Test, config: ConfigInput): Promise<{ balancer: LoadBalancer; failed: string[] }> {
  const balancer = createLoadBalancer(config);
  t.teardown(() => balancer.stop());
  const failed: string[] = [];
  balancer.on('backend:connectFailed', ({ reason }) => failed.push(reason));
  await balancer.start();
  return { balancer, failed };
}

/** As many sessions, each of which has had its answer. */
async function open(t: Test, balancer: LoadBalancer, count: number): Promise<Peer[]> {
  return await Promise.all(Array.from({ length: count }, () => served(t, balancer)));
}

const configOf = (upstream: Partial<Upstream> & Pick<Upstream, 'backends'>): ConfigInput => ({
  ...ONE_THREAD,
  listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
  upstreams: [{ name: 'app', health: 'off', ...upstream }],
});

for (const pool of [{ warm: 1 }, { warm: 3 }, { reuse: true }]) {
  const how = JSON.stringify(pool);

  void t.test(`a pool ${how} follows maxSessions from 2 to 20 to 5 with sessions running`, async t => {
    const address = formatAddress((await startBackend(t, scripts.echo)).address);
    const limited = (maxSessions: number): ConfigInput =>
      configOf({ pool, queue: { max: 100, timeout: '10s' }, backends: [{ address, maxSessions }] });
    const { balancer, failed } = await start(t, limited(2));
    const clients = await open(t, balancer, 2);
    await balancer.apply(limited(20));
    clients.push(...(await open(t, balancer, 18)));
    t.equal(balancer.snapshot().sessions, 20, 'none waits in the pool');
    await balancer.apply(limited(5));
    for (const client of clients.splice(0, 16)) client.reset();
    await until('four are left', () => balancer.snapshot().upstreams[0]?.backends[0]?.sessions === 4);
    await open(t, balancer, 1);
    const sixth = served(t, balancer);
    await until('the sixth waits', () => balancer.snapshot().upstreams[0]?.queue.waiting === 1);
    clients[0]?.reset();
    await sixth;
    t.same(failed, []);
  });
}

void t.test('a backend under slow start with a warm pool serves its full share after the ramp', async t => {
  const [one, two] = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)];
  const [a, b] = [formatAddress(one.address), formatAddress(two.address)];
  const { balancer, failed } = await start(
    t,
    configOf({
      ...{ pool: { warm: 2 }, slowStart: '300ms', queue: { max: 100, timeout: '10s' } },
      backends: [
        { address: a, maxSessions: 20 },
        { address: b, maxSessions: 20 },
      ],
    }),
  );
  const ends: string[] = [];
  balancer.on('backend:slowStartEnded', ({ backend }) => ends.push(backend));
  balancer.setBackendState('app', b, 'maint');
  await open(t, balancer, 1);
  balancer.setBackendState('app', b, 'ready');
  await until('the ramp is over', () => ends.includes(b));
  await open(t, balancer, 39);
  t.match(balancer.snapshot().upstreams[0]?.backends, [{ sessions: 20 }, { sessions: 20 }]);
  t.same(failed, []);
});
