/**
 * A name that stands for several addresses is one backend, which works as long as one of them does: over both engines.
 */
import { connect, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { createLoadBalancer } from '../../src/load-balancer.ts';
import { connectClient } from '../harness/client.ts';
import { addressOf } from '../harness/listening-address.ts';

/** Echoes on a port of one address, which nobody has on the other one; undefined without IPv6. */
async function listen(t: Test, host: string): Promise<number | undefined> {
  for (;;) {
    const port = await listenAnywhere(t, host);
    if (port === undefined || !(await isTaken(host === '::1' ? '127.0.0.1' : '::1', port))) return port;
  }
}

function listenAnywhere(t: Test, host: string): Promise<number | undefined> {
  const server = createServer(socket => void socket.pipe(socket).on('error', () => undefined));
  t.teardown(() => server.close());
  return new Promise(resolve => {
    server.once('error', () => resolve(undefined));
    server.listen({ host, port: 0, ipv6Only: true }, () => {
      const bound = server.address();
      if (bound !== null && typeof bound !== 'string') resolve(bound.port);
    });
  });
}

function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

for (const [engine, workers] of [
  ['node', 0],
  ['epoll', 1],
] as const) {
  for (const host of ['127.0.0.1', '::1']) {
    void t.test(`localhost, where ${host} alone listens (${engine})`, async t => {
      const port = await listen(t, host);
      if (port === undefined) {
        t.pass('skipped: no IPv6 here', { skip: true });
        return;
      }
      const balancer = createLoadBalancer({
        listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
        upstreams: [{ name: 'app', backends: [`localhost:${port}`], connect: { attempts: 1 } }],
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
