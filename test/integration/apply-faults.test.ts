/** Faults while one configuration takes the place of another: no client is harmed, and nothing is left behind. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer, type ConfigInput } from '../../src/index.ts';
import type { LoadBalancer } from '../../src/load-balancer.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import { connectFrom, served } from '../harness/served-client.ts';
import { until } from '../harness/until.ts';

type Upstream = ConfigInput['upstreams'][number];

const places = {
  workers: DATA_PLANE,
  ...OWN_THREAD,
} as const;

/** Starts a backend that sends its name to every client, and returns its address. */
async function named(t: Test, name: string): Promise<string> {
  const { address } = await startBackend(t, peer => peer.socket.end(name));
  return formatAddress(address);
}

async function start(t: Test, config: ConfigInput, slots?: number): Promise<LoadBalancer> {
  const balancer = createLoadBalancer(config, slots === undefined ? {} : { slots });
  t.teardown(() => balancer.stop());
  await balancer.start();
  return balancer;
}

for (const [place, dataPlane] of Object.entries(places)) {
  const app = (upstream: Partial<Upstream>): Upstream => ({
    ...{ name: 'app', health: 'off', backends: [] },
    ...upstream,
  });
  const configOf = (
    upstreams: ConfigInput['upstreams'],
    listeners: ConfigInput['listeners'] = [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
  ): ConfigInput => ({ ...dataPlane, listeners, upstreams });

  void t.test(`over ${place}`, t => {
    void t.test('two upstreams that swap their names never swap their clients', async t => {
      const [a, b] = [await named(t, 'a'), await named(t, 'b')];
      const config = (isSwapped: boolean): ConfigInput =>
        configOf(
          [
            app({ name: 'one', backends: [isSwapped ? b : a] }),
            app({ name: 'two', backends: [isSwapped ? a : b] }),
          ],
          [{ name: 'web', bind: '127.0.0.1:0', upstream: isSwapped ? 'two' : 'one' }],
        );
      const balancer = await start(t, config(false));
      const seen = new Set<string>();
      let isOver = false;
      const ask = async (): Promise<void> => {
        while (!isOver) {
          const client = await connectClient(t, addressOf(balancer));
          await client.untilEnded();
          seen.add(client.text);
        }
      };
      const asking = [ask(), ask(), ask()];
      for (let i = 1; i <= 20; i++) await balancer.apply(config(i % 2 === 1));
      isOver = true;
      await Promise.all(asking);
      t.same([...seen], ['a'], 'each client gets what the listener leads to in every configuration');
    });

    void t.test('a configuration that is refused leaves no slot taken', async t => {
      const balancer = await start(t, configOf([app({ backends: ['127.0.0.1:1'] })]), 12);
      const health = { type: 'tls', tls: { ca: '/nowhere.pem' } } as const;
      const backends = Array.from({ length: 3 }, (_, i) => `127.0.0.1:${i + 1}`);
      for (let round = 0; round < 6; round++) {
        const fresh = app({ name: `new${round}`, backends, health });
        await t.rejects(balancer.apply(configOf([app({ backends }), fresh])), { code: 'LB4_CONFIG_INVALID' });
      }
      await balancer.apply(configOf([app({ backends }), app({ name: 'other', backends })]));
      t.equal(balancer.snapshot().upstreams.length, 2);
    });

    void t.test('an operator cannot take the slots of a configuration that is under way', async t => {
      const balancer = await start(t, configOf([app({ backends: ['127.0.0.1:1'] })]), 8);
      const backends = Array.from({ length: 5 }, (_, i) => `127.0.0.1:${i + 1}`);
      const applied = balancer.apply(configOf([app({ backends })]));
      const refusals: unknown[] = [];
      for (let port = 100; port < 200 && refusals.length === 0; port++) {
        await new Promise(resolve => setImmediate(resolve));
        try {
          balancer.addBackend('app', `127.0.0.1:${port}`);
          balancer.removeBackend('app', `127.0.0.1:${port}`);
        } catch (error) {
          refusals.push(error);
        }
      }
      const outcome = await applied.then(
        () => 'whole',
        (error: unknown) => error,
      );
      const configured = balancer.snapshot().upstreams[0]?.backends.map(({ backend }) => backend);
      if (outcome === 'whole') t.same(configured?.slice(0, 5), backends);
      else t.match(outcome, { code: 'LB4_TOO_MANY_SLOTS' });
    });

    void t.test('sessions that wait for an upstream which is taken out get their place', async t => {
      const backend = formatAddress((await startBackend(t, scripts.echo)).address);
      const limited = (name: string): Upstream =>
        app({ name, backends: [{ address: backend, maxSessions: 1 }], queue: { max: 10, timeout: '20s' } });
      const balancer = await start(t, configOf([limited('app')]));
      const first = await served(t, balancer);
      const second = await connectClient(t, addressOf(balancer));
      await second.send('y');
      await until('one waits', () => balancer.snapshot().upstreams[0]?.queue.waiting === 1);
      const listeners = [{ name: 'web', bind: '127.0.0.1:0', upstream: 'next' }];
      await balancer.apply(configOf([app({ name: 'next', backends: [backend] })], listeners));
      first.socket.destroy();
      await second.untilText('y');
      t.same(
        balancer.snapshot().upstreams.map(({ name }) => name),
        ['next'],
      );
    });

    void t.test(
      'a backend that its agent has put into maint is checked again when there is no agent',
      async t => {
        const agent = await startBackend(t, peer => peer.socket.end('maint\n'));
        let probes = 0;
        const backend = createServer(socket => {
          probes += 1;
          socket.destroy();
        });
        await new Promise<void>(resolve => backend.listen(0, '127.0.0.1', resolve));
        t.teardown(() => backend.close());
        const at = backend.address();
        if (at === null || typeof at === 'string') throw new Error('it listens');
        const checked = (agentPort?: number): Upstream =>
          app({
            backends: [`127.0.0.1:${at.port}`],
            health: { type: 'tcp', interval: '20ms' },
            ...(agentPort === undefined ? {} : { agent: { port: agentPort, interval: '50ms' } }),
          });
        const { address } = agent;
        const balancer = await start(t, configOf([checked(address.kind === 'tcp' ? address.port : 0)]));
        await until('maint', () => balancer.snapshot().upstreams[0]?.backends[0]?.state === 'maint');
        await balancer.apply(configOf([checked()]));
        const before = probes;
        await until('it is checked', () => probes > before + 2);
        t.equal(balancer.snapshot().upstreams[0]?.backends[0]?.state, 'up');
      },
    );

    void t.test('a listener that was full and comes back takes clients', async t => {
      const backends = [formatAddress((await startBackend(t, scripts.echo)).address)];
      const [web, full] = [
        { name: 'web', bind: '127.0.0.1:0', upstream: 'app' },
        { name: 'full', bind: '127.0.0.1:0', upstream: 'app', limits: { maxSessions: 1 } },
      ];
      const balancer = await start(t, configOf([app({ backends })], [full, web]));
      const client = await served(t, balancer);
      await balancer.apply(configOf([app({ backends })], [web]));
      client.socket.destroy();
      await until('it has gone', () => balancer.snapshot().sessions === 0);
      await balancer.apply(configOf([app({ backends })], [full, web]));
      await served(t, balancer);
      t.match(balancer.snapshot().listeners[0], { name: 'full', sessions: 1 });
    });

    void t.test('a strategy that never has loaded is refused, and the one before goes on', async t => {
      const backends = [formatAddress((await startBackend(t, scripts.echo)).address)];
      const path = join(t.testdir(), 'never.mjs');
      writeFileSync(
        path,
        'await new Promise(() => {}); export const createStrategy = () => ({ pick() {} });',
      );
      const balancer = await start(t, configOf([app({ backends })]));
      await t.rejects(balancer.apply(configOf([app({ backends, strategy: path })])), {
        code: 'LB4_STRATEGY_INVALID',
        message: /has not loaded within 5 s/,
      });
      await served(t, balancer);
    });

    t.end();
  });
}

void t.test(
  'a stop does not wait for a worker that stands still, nor for the configuration that waits for it',
  { skip: loadLibc().ok ? false : 'workers need koffi on Linux' },
  async t => {
    const path = join(t.testdir(), 'blocking.mjs');
    writeFileSync(
      path,
      `export const createStrategy = all => ({ pick({ clientAddress, skip }) {
         if (clientAddress === '127.0.0.2') for (;;) {}
         return all.find(each => !skip?.(each));
       } });`,
    );
    const backends = [formatAddress((await startBackend(t, scripts.echo)).address)];
    const config = (timeout: string): ConfigInput => ({
      ...{ ...DATA_PLANE, workers: 1, workerStallTimeout: '10m' },
      listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
      upstreams: [{ name: 'app', health: 'off', strategy: path, backends, connect: { timeout } }],
    });
    const balancer = await start(t, config('1s'));
    connectFrom(t, balancer, '127.0.0.2');
    await until('it stands still', () => balancer.snapshot().workers[0]?.state === 'stalled');
    let isApplied = false;
    const applied = balancer.apply(config('2s')).then(() => (isApplied = true));
    await new Promise(resolve => setImmediate(resolve));
    t.equal(isApplied, false, 'a configuration waits for it');
    await balancer.stop();
    t.equal(balancer.state, 'stopped');
    await applied.catch(() => undefined);
  },
);
