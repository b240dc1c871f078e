/** `deferAccept` of a listener, over whole balancers: from the start, and from one configuration to the next. */
import t from 'tap';

import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer, type ConfigInput } from '../../src/index.ts';
import type { TcpAddress } from '../../src/support/address.ts';
import { startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import { until } from '../harness/until.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

const places = {
  workers: DATA_PLANE,
  ...OWN_THREAD,
} as const;

for (const [place, dataPlane] of Object.entries(places)) {
  void t.test(
    `who says nothing costs neither a session nor a backend, while asked for (${place})`,
    { skip },
    async t => {
      const backend = await startBackend(t, peer => void peer.send('welcome'));
      const { host, port } = backend.address as TcpAddress;
      const config = (deferAccept: string): ConfigInput => ({
        ...dataPlane,
        listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app', deferAccept }],
        upstreams: [{ name: 'app', health: 'off', backends: [`${host}:${port}`] }],
      });
      const balancer = createLoadBalancer(config('30s'));
      t.teardown(() => balancer.stop());
      await balancer.start();
      const sessions = (): number => balancer.snapshot().upstreams[0]?.backends[0]?.sessions ?? -1;

      const silent = await connectClient(t, addressOf(balancer));
      const speaks = await connectClient(t, addressOf(balancer));
      await speaks.send('x');
      await speaks.untilText('welcome');
      t.equal(sessions(), 1);

      await balancer.apply(config('0s'));
      const waits = await connectClient(t, addressOf(balancer));
      await waits.untilText('welcome');
      t.equal(sessions(), 2, 'asked for no more: who waits for the server is let in');
      t.equal(silent.text, '');

      await balancer.apply(config('30s'));
      const another = await connectClient(t, addressOf(balancer));
      await silent.send('x');
      await silent.untilText('welcome');
      await until('it is counted', () => sessions() === 3);
      t.equal(another.text, '', 'asked for again');
    },
  );
}
