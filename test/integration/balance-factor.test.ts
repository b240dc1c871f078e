/** `balanceFactor`, counted over all workers. */
import t, { type Test } from 'tap';
import { createLoadBalancer, type ConfigInput } from '../../src/index.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { served } from '../harness/served-client.ts';

const PLACES = {
  'two workers': { ...DATA_PLANE, workers: loadLibc().ok ? 2 : 0 },
  ...OWN_THREAD,
} as const;
const BACKENDS = 4;
const CLIENTS = 20;

for (const [place, dataPlane] of Object.entries(PLACES)) {
  /** Sessions per backend after so many clients of one address, one after the other. */
  const spread = async (t: Test, upstream: Partial<ConfigInput['upstreams'][number]>): Promise<number[]> => {
    const backends: string[] = [];
    for (let i = 0; i < BACKENDS; i++)
      backends.push(formatAddress((await startBackend(t, scripts.echo)).address));
    const balancer = createLoadBalancer({
      ...dataPlane,
      listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
      upstreams: [{ name: 'app', strategy: 'iphash', health: 'off', backends, ...upstream }],
    });
    t.teardown(() => balancer.stop());
    await balancer.start();
    for (let i = 0; i < CLIENTS; i++) await served(t, balancer);
    const { workers, upstreams } = balancer.snapshot();
    t.ok(
      workers.every(({ sessionsEver }) => sessionsEver > 0),
      'all workers had a part in it',
    );
    return (upstreams[0]?.backends ?? []).map(({ sessions }) => sessions).sort((a, b) => b - a);
  };

  void t.test(`over ${place}`, async t => {
    t.same(await spread(t, {}), [CLIENTS, 0, 0, 0], 'without it they are all at their own backend');
    const half = await spread(t, { balanceFactor: 1.5 });
    t.ok(
      half.every(sessions => sessions <= Math.ceil((1.5 * CLIENTS) / BACKENDS)),
      half.join(' '),
    );
    t.same(await spread(t, { balanceFactor: 1 }), [5, 5, 5, 5]);
  });
}
