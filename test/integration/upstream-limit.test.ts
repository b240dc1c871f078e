/** `limits.maxSessions` of an upstream, with real traffic: over all its backends and all workers. */
import t from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import type { Peer } from '../harness/peer.ts';

const CLIENTS = 120;
const LIMIT = 5;

for (const workers of [0, 1, 2]) {
  const skip = workers > 0 && !loadLibc().ok && 'workers need koffi on Linux';
  void t.test(
    `over two backends never more than the limit, and all are served: ${workers} workers`,
    { skip },
    async t => {
      let [now, most] = [0, 0];
      const script = (peer: Peer): void => {
        now += 1;
        peer.socket.once('end', () => (now -= 1));
        // Not before everything is read that came with it: an earlier session's FIN, above all.
        setImmediate(() => (most = Math.max(most, now)));
        peer.socket.once('data', () => peer.socket.end('served'));
      };
      const backends = await Promise.all([startBackend(t, script), startBackend(t, script)]);
      const balancer = createLoadBalancer({
        ...(workers === 0 ? {} : DATA_PLANE),
        workers,
        listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
        upstreams: [
          {
            name: 'app',
            health: 'off',
            backends: backends.map(({ address }) => formatAddress(address)),
            limits: { maxSessions: LIMIT },
            queue: { timeout: 30_000 },
          },
        ],
      });
      t.teardown(() => balancer.stop());
      await balancer.start();
      const clients: Peer[] = [];
      for (let i = 0; i < CLIENTS; i++) {
        const client = await connectClient(t, addressOf(balancer));
        void client.send('x');
        // It closes when it has its answer: until then its session counts.
        client.socket.once('end', () => client.halfClose());
        clients.push(client);
      }
      for (const client of clients) await client.untilEnded();
      t.equal(clients.filter(({ text }) => text === 'served').length, CLIENTS);
      t.ok(most <= LIMIT, `at most ${most} at once`);
      t.equal(balancer.snapshot().upstreams[0]?.limit?.max, LIMIT);
    },
  );
}
