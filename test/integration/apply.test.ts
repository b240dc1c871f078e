/** A configuration takes the place of another while the balancer runs: what changes, what stays, what is refused. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseConfig } from '../../src/config/source/parse.ts';
import { createLoadBalancer, type ConfigInput, type LoadBalancerSnapshot } from '../../src/index.ts';
import { LoadBalancer } from '../../src/load-balancer.ts';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { startHttpBackends } from '../harness/http-backend.ts';
import { addressOf } from '../harness/listening-address.ts';
import type { Peer } from '../harness/peer.ts';
import { served } from '../harness/served-client.ts';
import { until } from '../harness/until.ts';

type Upstream = ConfigInput['upstreams'][number];
type Listener = ConfigInput['listeners'][number];

const places = {
  workers: DATA_PLANE,
  ...OWN_THREAD,
} as const;

for (const [place, dataPlane] of Object.entries(places)) {
  const app = (upstream: Partial<Upstream> & Pick<Upstream, 'backends'>): Upstream => ({
    ...{ name: 'app', health: 'off' },
    ...upstream,
  });
  const web = (listener: Partial<Listener> = {}): Listener => ({
    ...{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' },
    ...listener,
  });
  const configOf = (
    upstreams: ConfigInput['upstreams'],
    listeners: ConfigInput['listeners'] = [web()],
  ): ConfigInput => ({ ...dataPlane, listeners, upstreams });
  const start = async (t: Test, config: ConfigInput): Promise<LoadBalancer> => {
    const balancer = createLoadBalancer(config);
    t.teardown(() => balancer.stop());
    await balancer.start();
    return balancer;
  };
  const sessionsAt = (balancer: LoadBalancer): Record<string, number> =>
    Object.fromEntries(
      balancer
        .snapshot()
        .upstreams.flatMap(({ backends }) => backends.map(({ backend, sessions }) => [backend, sessions])),
    );

  void t.test(`over ${place}`, t => {
    void t.test('backends come, go and change; sessions, counts and the listener stay', async t => {
      const [one, two] = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)];
      const [a, b] = [formatAddress(one.address), formatAddress(two.address)];
      const balancer = await start(t, configOf([app({ backends: [a] })]));
      const at = addressOf(balancer);
      const client = await served(t, balancer);
      await balancer.apply(configOf([app({ backends: [b], strategy: 'roundrobin' })]));
      t.same(addressOf(balancer), at);
      await client.send('y');
      await client.untilText('xy');
      t.match(sessionsAt(balancer), { [a]: 1, [b]: 0 });
      await served(t, balancer);
      t.match(sessionsAt(balancer), { [a]: 1, [b]: 1 });
      client.reset();
      await until('the last session of the old backend has ended', () => !(a in sessionsAt(balancer)));
      await balancer.apply(configOf([app({ backends: [{ address: b, weight: 7, maxSessions: 3 }, a] })]));
      t.match(balancer.snapshot().upstreams[0], {
        strategy: 'leastconn',
        backends: [{ backend: b, weight: 7, sessions: 1 }, { backend: a }],
      });
    });

    void t.test('sessions that run can be listed, wherever they run', async t => {
      const [one, two] = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)];
      const other = { name: 'other', health: 'off', backends: [formatAddress(two.address)] } as const;
      const backends = [{ address: formatAddress(one.address), maxSessions: 3 }];
      const listeners = [web(), web({ name: 'second', upstream: 'other' })];
      const balancer = await start(t, configOf([app({ backends }), other], listeners));
      for (let i = 0; i < 3; i++) await served(t, balancer);
      const waiting = await connectClient(t, addressOf(balancer));
      await until('it waits', () => balancer.snapshot().upstreams[0]?.queue.waiting === 1);
      const phases = async (query = {}): Promise<string[]> =>
        (await balancer.sessions(query)).map(({ phase }) => phase).sort();
      t.same(await phases(), ['queue', 'relay', 'relay', 'relay']);
      t.same(await phases({ upstream: 'other' }), []);
      t.same(
        await phases({ clientAddress: '127.0.0.1', listener: 'web', limit: 2 }).then(all => all.length),
        2,
      );
      t.match(await balancer.sessions({ backend: formatAddress(one.address), limit: 1 }), [
        { upstream: 'app', clientAddress: '127.0.0.1', bytesFromClient: 1, bytesFromBackend: 1 },
      ]);
      waiting.reset();
    });

    void t.test('listeners come, go, and take each other’s address over, without a gap', async t => {
      const backends = [formatAddress((await startBackend(t, scripts.echo)).address)];
      const balancer = await start(t, configOf([app({ backends })]));
      const { host, port } = addressOf(balancer);
      const bind = [`${host}:${port}`];
      const other = { name: 'other', health: 'off', backends } as const;
      // From port 0 to the same port by its number.
      await balancer.apply(configOf([app({ backends })], [web({ bind })]));
      t.same(addressOf(balancer), { kind: 'tcp', host, port });
      await served(t, balancer);
      const fixed = await freePort(t);
      const listening: object[] = [];
      balancer.on('listener:listening', event => listening.push(event));
      await balancer.apply(configOf([app({ backends })], [web({ bind: [`127.0.0.1:${fixed}`] })]));
      t.same(listening, [{ listener: 'web', address: `127.0.0.1:${fixed}`, upstream: 'app' }]);
      const anew = { name: 'anew', bind: ['127.0.0.1:0'], upstream: 'app' };
      await balancer.apply(configOf([app({ backends })], [web({ bind: [`127.0.0.1:${fixed}`] }), anew]));
      t.match(listening.slice(1), [{ listener: 'anew', upstream: 'app' }], 'also of a listener that is new');
      const client = await connectClient(t, { kind: 'tcp', host: '127.0.0.1', port: fixed });
      let isOver = false;
      const asked = askAllTheTime(t, { kind: 'tcp', host: '127.0.0.1', port: fixed }, () => isOver);
      for (let i = 0; i < 6; i++) {
        const name = i % 2 === 0 ? 'renamed' : 'web';
        const upstream = i % 3 === 0 ? 'app' : 'other';
        const listeners = [{ name, bind: [`127.0.0.1:${fixed}`], upstream }];
        await balancer.apply(configOf([app({ backends }), other], listeners));
      }
      isOver = true;
      t.same(await asked, [], 'no client was turned away');
      await client.send('still');
      await client.untilText('still');
      t.match(
        balancer.snapshot().listeners.map(({ name, addresses }) => ({ name, addresses })),
        [{ name: 'web', addresses: [`127.0.0.1:${fixed}`] }],
      );
      await balancer.apply(configOf([app({ backends })]));
      await t.rejects(connectClient(t, { kind: 'tcp', host: '127.0.0.1', port: fixed }), {
        code: 'ECONNREFUSED',
      });
      await client.send('!');
      await client.untilText('still!');
    });

    void t.test('a configuration that cannot be applied changes nothing', async t => {
      const [one, taken] = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)];
      const backends = [formatAddress(one.address)];
      const balancer = await start(t, configOf([app({ backends })]));
      const before = balancer.snapshot();
      const said: string[] = [];
      for (const name of ['backend:added', 'backend:removed', 'listener:listening', 'upstream:down'] as const)
        balancer.on(name, () => said.push(name));
      const fresh = { name: 'fresh', backends: ['127.0.0.1:9'] };
      const folder = t.testdir({ 'wrong.mjs': 'export const createStrategy = 1;' });
      const refused: readonly (readonly [string, ConfigInput])[] = [
        [
          'LB4_LISTEN_FAILED',
          configOf(
            [app({ backends: ['127.0.0.1:9'] }), fresh],
            [web({ bind: [formatAddress(taken.address)] })],
          ),
        ],
        [
          'LB4_STRATEGY_INVALID',
          configOf([app({ backends }), { ...fresh, strategy: join(folder, 'wrong.mjs') }]),
        ],
        [
          'LB4_CONFIG_INVALID',
          configOf([
            app({ backends, health: { type: 'tls', tls: { ca: join(folder, 'none.pem') } } }),
            fresh,
          ]),
        ],
        ['LB4_CONFIG_INVALID', configOf([app({ backends: [] })])],
        ['LB4_NEEDS_RESTART', { ...configOf([app({ backends })]), workers: 3 }],
        [
          'LB4_CONFIG_INVALID',
          {
            ...configOf([app({ backends }), fresh]),
            redis: { url: 'redis://127.0.0.1:1', passwordFile: join(folder, 'none') },
          },
        ],
      ];
      for (const [code, config] of refused) await t.rejects(balancer.apply(config), { code }, code);
      // How long a backend is in its state goes on.
      const timeless = (snapshot: LoadBalancerSnapshot): unknown =>
        JSON.parse(
          JSON.stringify(snapshot, (key, value: unknown) => (key === 'stateForMs' ? undefined : value)),
        );
      t.same(timeless(balancer.snapshot()), timeless(before));
      t.same(said, []);
      await served(t, balancer);
      await balancer.apply(configOf([app({ backends }), fresh]));
      t.equal(balancer.snapshot().upstreams.length, 2, 'and the next one that can be is');
    });

    void t.test('where there is no room for all of it, nothing of it is taken over', async t => {
      const parsed = parseConfig(configOf([app({ backends: ['127.0.0.1:1'] })]));
      if (!parsed.ok) throw new Error('the configuration is valid');
      const balancer = new LoadBalancer(parsed.config, { slots: 12 });
      t.teardown(() => balancer.stop());
      await balancer.start();
      const many = Array.from({ length: 9 }, (_, i) => `127.0.0.1:${i + 1}`);
      const listeners = [web(), web({ name: 'second' })];
      for (let round = 0; round < 3; round++) {
        const refused = balancer.apply(configOf([app({ backends: many })], listeners));
        await t.rejects(refused, { code: 'LB4_TOO_MANY_SLOTS' });
        t.equal(balancer.snapshot().upstreams[0]?.backends.length, 1);
      }
      await balancer.apply(configOf([app({ backends: many.slice(0, 7) })]));
      t.equal(balancer.snapshot().upstreams[0]?.backends.length, 7, 'and what there is room for is');
    });

    void t.test('a limit that is lowered cuts no session, one that is raised lets in who waits', async t => {
      const backends = [formatAddress((await startBackend(t, scripts.echo)).address)];
      const limited = (own: number, all: number): ConfigInput => ({
        ...configOf([app({ backends })], [web({ limits: { maxSessions: own } })]),
        limits: { maxSessions: all },
      });
      const balancer = await start(t, limited(10, 10));
      const clients: Peer[] = [];
      for (let i = 0; i < 4; i++) clients.push(await served(t, balancer));
      await balancer.apply(limited(2, 10));
      await until('it is held', () => balancer.snapshot().listeners[0]?.paused === true);
      t.equal(balancer.snapshot().sessions, 4);
      const fifth = await connectClient(t, addressOf(balancer));
      await fifth.send('x');
      await balancer.apply(limited(10, 3));
      await balancer.apply(limited(10, 5));
      await fifth.untilText('x');
      for (const client of clients) {
        await client.send('y');
        await client.untilText('xy');
      }
      t.equal(balancer.snapshot().sessions, 5);
    });

    void t.test(
      'what an operator has set stays until the configuration says something else of it',
      async t => {
        const [a, b, c] = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'];
        const balancer = await start(t, configOf([app({ backends: [a, b] })]));
        balancer.setBackendWeight('app', a, 5);
        balancer.setBackendState('app', a, 'drain');
        balancer.removeBackend('app', b);
        balancer.addBackend('app', c);
        const shown = (): unknown =>
          balancer
            .snapshot()
            .upstreams[0]?.backends.map(({ backend, weight, operator }) => [backend, weight, operator]);
        await balancer.apply(configOf([app({ backends: [a, b], connect: { timeout: '1s' } })]));
        t.same(shown(), [
          [a, 5, 'drain'],
          [c, 1, 'ready'],
        ]);
        const overrides = (): unknown => balancer.snapshot().upstreams[0]?.overrides;
        t.same(overrides(), [
          { backend: a, what: 'weight', configured: 1, now: 5 },
          { backend: a, what: 'state', configured: 'ready', now: 'drain' },
          { backend: c, what: 'added' },
          { backend: b, what: 'removed' },
        ]);
        await balancer.apply(
          configOf([
            app({
              backends: [
                { address: a, weight: 9 },
                { address: b, weight: 2 },
              ],
            }),
          ]),
        );
        t.same(shown(), [
          [a, 9, 'drain'],
          [b, 2, 'ready'],
          [c, 1, 'ready'],
        ]);
        t.same(overrides(), [
          { backend: a, what: 'state', configured: 'ready', now: 'drain' },
          { backend: c, what: 'added' },
        ]);
      },
    );

    void t.test('an upstream that has gone and comes back finds the sessions it has left', async t => {
      const backend = formatAddress((await startBackend(t, scripts.echo)).address);
      const spare = { name: 'spare', health: 'off', backends: [backend] } as const;
      const balancer = await start(t, configOf([app({ backends: [backend] })]));
      const client = await served(t, balancer);
      await balancer.apply(configOf([spare], [web({ upstream: 'spare' })]));
      t.same(
        balancer.snapshot().upstreams.map(({ name }) => name),
        ['spare'],
      );
      await served(t, balancer);
      const taken = formatAddress((await startBackend(t)).address);
      const refused = configOf([spare, app({ backends: [backend] })], [web({ bind: [taken] })]);
      await t.rejects(balancer.apply(refused), { code: 'LB4_LISTEN_FAILED' });
      t.equal(balancer.snapshot().upstreams.length, 1, 'one that could not come back is gone as before');
      await balancer.apply(configOf([spare, app({ backends: [backend] })], [web({ upstream: 'spare' })]));
      t.match(balancer.snapshot().upstreams, [
        { name: 'spare', backends: [{ sessions: 1 }] },
        { name: 'app', backends: [{ sessions: 1 }] },
      ]);
      await client.send('y');
      await client.untilText('xy');
    });

    void t.test('the turn of roundrobin is where it was, remembered clients stay remembered', async t => {
      const { addresses } = await startHttpBackends(t, ['a', 'b', 'c', 'd', 'e']);
      const turns = app({ backends: [...addresses], strategy: 'roundrobin' });
      const balancer = await start(t, configOf([turns]));
      const seen: string[] = [];
      for (let i = 0; i < 25; i++) {
        seen.push(await answerOf(t, addressOf(balancer)));
        if (i % 3 === 0) await balancer.apply(configOf([{ ...turns, connect: { timeout: `${i + 1}s` } }]));
      }
      for (const name of ['a', 'b', 'c', 'd', 'e'])
        t.equal(seen.filter(each => each === name).length, 5, `${name} had its turns`);
      const sticky = { ...turns, sticky: { max: 100, ttl: '1h' } } as const;
      await balancer.apply(configOf([sticky]));
      const mine = await answerOf(t, addressOf(balancer));
      await balancer.apply(
        configOf([{ ...sticky, sticky: { max: 100, ttl: '2h' }, connect: { timeout: '9s' } }]),
      );
      t.equal(await answerOf(t, addressOf(balancer)), mine);
    });

    void t.test('a strategy of one’s own is loaded anew when its file has changed', async t => {
      const { addresses } = await startHttpBackends(t, ['a', 'b']);
      const path = join(t.testdir({}), 'own.mjs');
      const picks = (index: number): void =>
        writeFileSync(
          path,
          `export const createStrategy = all => ({ pick: ({ skip }) => skip?.(all[${index}]) ? undefined : all[${index}] });`,
        );
      picks(0);
      const config = configOf([app({ backends: [...addresses], strategy: path })]);
      const balancer = await start(t, config);
      t.equal(await answerOf(t, addressOf(balancer)), 'a');
      picks(1);
      await balancer.apply(config);
      t.equal(await answerOf(t, addressOf(balancer)), 'b');
      t.equal(balancer.snapshot().upstreams[0]?.strategy, path);
    });

    void t.test('what checks have found stays when other checks take over', async t => {
      const [up, dead] = [await startBackend(t, scripts.echo), '127.0.0.1:1'];
      const health = { type: 'tcp', interval: '50ms', fall: 2, rise: 2 } as const;
      const backends = [formatAddress(up.address), dead];
      const balancer = await start(t, configOf([app({ backends, health })]));
      const stateOf = (index: number): string | undefined =>
        balancer.snapshot().upstreams[0]?.backends[index]?.state;
      await until('the dead one is down', () => stateOf(1) === 'down');
      const flips: string[] = [];
      balancer.on('backend:up', ({ backend }) => flips.push(backend));
      balancer.on('backend:down', ({ backend }) => flips.push(backend));
      await balancer.apply(configOf([app({ backends, health: { ...health, interval: '60ms' } })]));
      t.equal(stateOf(1), 'down');
      await new Promise(resolve => setTimeout(resolve, 200));
      t.same(flips, [], 'nothing has changed');
      await balancer.apply(configOf([app({ backends, health: 'off' })]));
      t.equal(stateOf(1), 'up', 'one that is not checked counts as well');
    });
    t.end();
  });
}

async function freePort(t: Test): Promise<number> {
  const backend = await startBackend(t);
  await backend.close();
  return backend.address.kind === 'tcp' ? backend.address.port : 0;
}

/** One session after the other; what went wrong. */
async function askAllTheTime(t: Test, address: TcpAddress, isOver: () => boolean): Promise<string[]> {
  const wrong: string[] = [];
  while (!isOver()) {
    try {
      const client = await connectClient(t, address);
      await client.send('x');
      await client.untilText('x');
      client.reset();
    } catch (error) {
      wrong.push(String(error));
    }
  }
  return wrong;
}

/** Which backend answers. */
async function answerOf(t: Test, address: TcpAddress): Promise<string> {
  const client = await connectClient(t, address);
  await client.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  await until('the answer has come', () => client.ending === 'fin');
  client.socket.destroy();
  return client.text.trimEnd().split('\n').at(-1) ?? '';
}
