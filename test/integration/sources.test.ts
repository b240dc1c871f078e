/** Where connections to backends come from: as the backends see it, over whole balancers of both engines. */
import t, { type Test } from 'tap';

import { createLoadBalancer, type ConfigInput, type LoadBalancer } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend, type Backend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { addressOf } from '../harness/listening-address.ts';
import { withoutLibc } from '../harness/real-libc.ts';
import { until } from '../harness/until.ts';
import '../harness/run-once.ts';

type ConnectKeys = Partial<ConfigInput['upstreams'][number]>;

const places = {
  'epoll engine': { engine: 'epoll', workers: 1 },
  'node engine, own thread': { engine: 'node', workers: 0 },
} as const;

/** The addresses that a backend's clients have, in the order in which they came. */
function seenBy({ peers }: Backend): (string | undefined)[] {
  return peers.map(({ socket }) => socket.remoteAddress?.replace('::ffff:', ''));
}

for (const [place, dataPlane] of Object.entries(places)) {
  const test = (name: string, run: (t: Test) => Promise<void>) =>
    t.test(`${place}: ${name}`, { skip: withoutLibc }, run);

  const started = async (t: Test, backends: readonly Backend[], keys: ConnectKeys): Promise<LoadBalancer> => {
    const balancer = createLoadBalancer({
      ...dataPlane,
      listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
      upstreams: [
        {
          ...{ name: 'app', health: 'off', strategy: 'roundrobin' },
          backends: backends.map(({ address }) => formatAddress(address)),
          ...keys,
        },
      ],
    });
    t.teardown(() => balancer.stop());
    await balancer.start();
    return balancer;
  };
  const served = async (t: Test, balancer: LoadBalancer): Promise<void> => {
    const client = await connectClient(t, addressOf(balancer));
    await client.send('hello');
    await client.untilText('hello');
  };

  void test('each backend is connected to from each source in turn', async t => {
    const backends = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)];
    const source = ['127.0.0.11', '127.0.0.12', '127.0.0.13'];
    const balancer = await started(t, backends, { source });
    for (let i = 0; i < 12; i++) await served(t, balancer);
    for (const backend of backends) t.same(seenBy(backend), [...source, ...source]);
  });

  void test('an address that this machine does not have is passed over', async t => {
    const backend = await startBackend(t, scripts.echo);
    const balancer = await started(t, [backend], { source: ['198.18.99.1', '127.0.0.11'] });
    for (let i = 0; i < 4; i++) await served(t, balancer);
    t.same(seenBy(backend), Array(4).fill('127.0.0.11'));
  });

  void test('without any that it has, the session ends as unreachable, and the backend is not blamed', async t => {
    const backend = await startBackend(t, scripts.echo);
    const balancer = await started(t, [backend], { source: ['198.18.99.1', '198.18.99.2'] });
    let failures = 0;
    const codes = new Set<string>();
    balancer.on('backend:connectFailed', ({ code, times }) => {
      codes.add(code);
      failures += times;
    });
    // Some are reset before they know that they are connected.
    for (let i = 0; i < 6; i++) await connectClient(t, addressOf(balancer)).catch(() => undefined);
    await until('each has failed', () => failures >= 6);
    t.same([...codes], ['EADDRNOTAVAIL']);
    t.equal(backend.peers.length, 0);
    t.match(balancer.snapshot().upstreams[0]?.backends[0], { state: 'up' });
  });

  void test('each family has its own; without one of its family the system chooses', async t => {
    const six = await startBackend(t, scripts.echo, { kind: 'tcp', host: '::1', port: 0 });
    const balancer = await started(t, [six], { source: ['127.0.0.11', '::1'] });
    await served(t, balancer);
    t.same(seenBy(six), ['::1']);
    const without = await started(t, [six], { source: ['127.0.0.11'] });
    await served(t, without);
    t.same(seenBy(six), ['::1', '::1']);
  });

  void test('a new configuration is for connections from then on', async t => {
    const backend = await startBackend(t, scripts.echo);
    const balancer = await started(t, [backend], {});
    const config = (source: string[] | undefined): ConfigInput => ({
      ...dataPlane,
      listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
      upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)], source }],
    });
    await served(t, balancer);
    await balancer.apply(config(['127.0.0.11']));
    await served(t, balancer);
    await balancer.apply(config(undefined));
    await served(t, balancer);
    t.same(seenBy(backend), ['127.0.0.1', '127.0.0.11', '127.0.0.1']);
  });

  for (const type of ['tcp', 'http'] as const) {
    void test(`${type} checks come from the sources, too`, async t => {
      const backend = await startBackend(t, scripts.echo);
      const source = ['127.0.0.11', '127.0.0.12'];
      await started(t, [backend], { source, health: { type, interval: '50ms', timeout: '50ms' } });
      await until('some have come', () => backend.peers.length >= 4);
      t.same(new Set(seenBy(backend)), new Set(source));
    });
  }

  void test('the address of the client', async t => {
    const backend = await startBackend(t, scripts.echo);
    const six = await startBackend(t, scripts.echo, { kind: 'tcp', host: '::1', port: 0 });
    const balancer = await started(t, [backend, six], { source: 'client' });
    const address = addressOf(balancer);
    for (const localAddress of ['127.0.0.21', '127.0.0.21', '127.0.0.22', '127.0.0.22']) {
      const client = await connectClient(t, address, localAddress);
      await client.send('hello');
      await client.untilText('hello');
    }
    t.same(seenBy(backend), ['127.0.0.21', '127.0.0.22']);
    t.same(seenBy(six), ['::1', '::1'], 'of the other family: the system chooses');
  });
}
