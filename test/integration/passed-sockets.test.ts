/** A socket that was passed survives every change of the configuration. */
import t from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { bindListeningSockets } from '../../src/linux/listening-sockets.ts';
import { createLoadBalancer } from '../../src/index.ts';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

for (const [engine, workers] of [
  ['epoll', 2],
  ['node', 0],
] as const) {
  void t.test(
    `${engine} engine, ${workers} workers: clients wait while no listener has the address, and are served by the next`,
    { skip },
    async t => {
      if (!loaded.ok) return;
      const { libc } = loaded;
      const backend = await startBackend(t, scripts.echo);
      const { address, fds } = await bindListeningSockets(
        libc,
        { kind: 'tcp', host: '127.0.0.1', port: 0 },
        1,
      );
      const [fd = -1] = fds;
      t.teardown(() => libc.close(fd));
      const config = (name: string, bind: string): ConfigInput => ({
        ...{ engine, workers },
        listeners: [{ name, bind, upstream: 'app' }],
        upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)] }],
      });
      const own = formatAddress(address);
      const balancer = createLoadBalancer(config('web', own), { passed: [{ fd, name: '' }] });
      t.teardown(() => balancer.stop());
      await balancer.start();
      await balancer.apply(config('elsewhere', '127.0.0.1:0'));
      const client = await connectClient(t, address);
      await client.send('waits');
      t.same(balancer.snapshot().sessions, 0);
      await balancer.apply(config('back', own));
      await client.untilText('waits');
      t.equal(balancer.snapshot().listeners[0]?.addresses[0], own);
      await balancer.stop();
      t.equal(await client.untilEnded(), 'reset');
      const late = await connectClient(t, address);
      t.ok(late, 'and after the end the kernel still lets clients in');
    },
  );
}
