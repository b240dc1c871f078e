/**
 * A name that stands for several addresses is one backend, which works as long as one of them does: over both engines.
 */
import { createServer, type Server } from 'node:net';
import t, { type Test } from 'tap';
import { createLoadBalancer } from '../../src/load-balancer.ts';
import { connectClient } from '../harness/client.ts';
import { addressOf } from '../harness/listening-address.ts';

/** Echoes on one address; null where that cannot be had. */
async function listen(
  t: Test,
  host: string,
  port = 0,
): Promise<{ port: number; server: Server } | undefined> {
  const server = createServer(socket => void socket.pipe(socket).on('error', () => undefined));
  t.teardown(() => server.close());
  return new Promise(resolve => {
    server.once('error', () => resolve(undefined));
    server.listen({ host, port, ipv6Only: true }, () => {
      const bound = server.address();
      if (bound !== null && typeof bound !== 'string') resolve({ port: bound.port, server });
    });
  });
}

for (const [engine, workers] of [
  ['node', 0],
  ['epoll', 1],
] as const) {
  for (const host of ['127.0.0.1', '::1']) {
    void t.test(`localhost, where ${host} alone listens (${engine})`, async t => {
      const backend = await listen(t, host);
      if (backend === undefined) {
        t.pass('skipped: no IPv6 here', { skip: true });
        return;
      }
      const balancer = createLoadBalancer({
        listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
        upstreams: [{ name: 'app', backends: [`localhost:${backend.port}`], connect: { attempts: 1 } }],
        ...{ engine, workers },
      });
      t.teardown(() => balancer.stop());
      const downs: unknown[] = [];
      balancer.on('backend:down', event => downs.push(event));
      balancer.on('backend:connectFailed', event => downs.push(event));
      await balancer.start();
      for (let i = 0; i < 3; i++) {
        const client = await connectClient(t, addressOf(balancer));
        await client.send('hello');
        client.halfClose();
        await client.untilEnded();
        t.equal(client.text, 'hello');
      }
      t.same(downs, []);
    });
  }
}
