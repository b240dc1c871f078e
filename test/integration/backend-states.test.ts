/** What happens to backends with real sessions: in workers and in the caller's thread, over sockets. */
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { EVENT_NAMES, type EventName } from '../../src/model/events.ts';
import { createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { scripts, startBackend, type Backend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import type { Peer } from '../harness/peer.ts';
import { until } from '../harness/until.ts';

type UpstreamInput = Partial<ConfigInput['upstreams'][number]>;
interface Told {
  readonly name: EventName;
  readonly event: unknown;
}

/** The data planes under test: as many workers as there are cores, or as asked for, and none. */
const PLACES = { workers: DATA_PLANE, 'own thread': { engine: 'node', workers: 0 } } as const;

async function start(
  t: Test,
  place: keyof typeof PLACES,
  backends: UpstreamInput['backends'] & object,
  upstream: UpstreamInput = {},
) {
  const balancer = createLoadBalancer({
    ...PLACES[place],
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [{ name: 'app', strategy: 'roundrobin', health: 'off', ...upstream, backends }],
  });
  const told: Told[] = [];
  for (const name of EVENT_NAMES) {
    if (/^(upstream|backend):/.test(name)) balancer.on(name, event => told.push({ name, event }));
  }
  t.teardown(() => balancer.stop());
  await balancer.start();
  return { balancer, told, address: addressOf(balancer) };
}

const nameOf = ({ address }: Pick<Backend, 'address'>): string => formatAddress(address);

/** An echoed word over a session that stays open; it tells which backend has it. */
async function open(t: Test, address: Address, backends: readonly Backend[]) {
  const before = backends.map(({ peers }) => peers.length);
  const client = await connectClient(t, address);
  await client.send('x');
  await client.untilText('x');
  return { client, backend: backends.findIndex(({ peers }, i) => peers.length > (before[i] ?? 0)) };
}

async function leave(client: Peer): Promise<void> {
  client.halfClose();
  await client.untilEnded();
}

/** Opens and closes sessions until one more snapshot has certainly arrived in every worker: `count` in a row hit `wanted`. */
async function untilOnly(
  t: Test,
  address: Address,
  backends: readonly Backend[],
  wanted: number,
  count = 12,
) {
  for (let inARow = 0; inARow < count;) {
    const { client, backend } = await open(t, address, backends);
    await leave(client);
    inARow = backend === wanted ? inARow + 1 : 0;
  }
}

const view = (balancer: LoadBalancer, backend: string) =>
  balancer.snapshot().upstreams[0]?.backends.find(each => each.backend === backend);

const FAILED = '1 health check failed in a row, the last with: refused (ECONNREFUSED)';

/** Holds once so many more connections have reached it. */
function after({ peers }: Backend, more: number): () => boolean {
  const before = peers.length;
  return () => peers.length >= before + more;
}

const names = (told: readonly Told[]): EventName[] => told.map(({ name }) => name);

for (const place of ['workers', ...Object.keys(OWN_THREAD)] as (keyof typeof PLACES)[]) {
  void t.test(
    `${place}: a drained backend keeps its session and gets no other, until it is ready`,
    async t => {
      const backends = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)] as const;
      const [one, two] = [nameOf(backends[0]), nameOf(backends[1])];
      const { balancer, told, address } = await start(t, place, [one, two]);
      balancer.setBackendState('app', two, 'maint');
      await untilOnly(t, address, backends, 0);
      const old = await open(t, address, backends);
      balancer.setBackendState('app', two, 'ready');
      balancer.setBackendState('app', one, 'drain');
      await untilOnly(t, address, backends, 1);
      t.match(view(balancer, one), { state: 'drain', operator: 'drain', takesSessions: false, sessions: 1 });
      t.match(view(balancer, two), { state: 'up', operator: 'ready', takesSessions: true });
      await old.client.send('y');
      await old.client.untilText('xy');
      t.same(
        told.map(({ event }) => event),
        [
          { upstream: 'app', backend: two, state: 'maint', by: 'operator' },
          { upstream: 'app', backend: two, state: 'ready', by: 'operator' },
          { upstream: 'app', backend: one, state: 'drain', by: 'operator' },
        ],
      );
      balancer.setBackendState('app', one, 'ready');
      for (;;) {
        const { client, backend } = await open(t, address, backends);
        await leave(client);
        if (backend === 0) break;
      }
    },
  );

  void t.test(
    `${place}: a backend that is removed and added again adopts its sessions; no count is ever below 0`,
    async t => {
      const backends = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)] as const;
      const [one, two] = [nameOf(backends[0]), nameOf(backends[1])];
      const { balancer, told, address } = await start(t, place, [one], { strategy: 'leastconn' });
      let least = 0;
      const watch = setInterval(() => {
        for (const { sessions } of balancer.snapshot().upstreams[0]?.backends ?? [])
          least = Math.min(least, sessions);
      }, 1);
      t.teardown(() => clearInterval(watch));
      const old = [await open(t, address, backends), await open(t, address, backends)];
      balancer.addBackend('app', { address: two, weight: 2 });
      balancer.removeBackend('app', one);
      await untilOnly(t, address, backends, 1);
      t.match(view(balancer, one), { state: 'removed', sessions: 2, takesSessions: false });
      t.match(view(balancer, two), { state: 'up', weight: 2 });
      await leave(old[0]!.client);
      await until('one has ended', () => view(balancer, one)?.sessions === 1);
      balancer.addBackend('app', one);
      t.match(view(balancer, one), { state: 'up', sessions: 1 });
      balancer.removeBackend('app', two);
      await untilOnly(t, address, backends, 0);
      await leave(old[1]!.client);
      await until('all have ended', () => balancer.snapshot().sessions === 0);
      t.equal(view(balancer, one)?.sessions, 0);
      t.equal(view(balancer, two), undefined, 'of the other nothing is left');
      t.equal(least, 0);
      t.same(names(told), ['backend:added', 'backend:removed', 'backend:added', 'backend:removed']);
      t.match(told[1]?.event, { backend: one, sessions: 2 });
    },
  );

  void t.test(`${place}: with too few well all get sessions, and each change is one event`, async t => {
    const backends = await Promise.all([1, 2, 3].map(() => startBackend(t, scripts.echo)));
    const [one = '', two = '', three = ''] = backends.map(nameOf);
    const health = { interval: 150, rise: 1, fall: 1 };
    const { balancer, told, address } = await start(t, place, [one, two, three], { health, panicBelow: 50 });
    await backends[0]?.close();
    await until('the first is down', () => told.length === 1);
    t.match(balancer.snapshot().upstreams[0], {
      mode: 'normal',
      backends: [{ state: 'down', health: 'down' }],
    });
    await backends[1]?.close();
    await until('it panics', () => names(told).includes('upstream:panic'));
    t.match(balancer.snapshot().upstreams[0], {
      mode: 'panic',
      backends: [
        { state: 'down', takesSessions: true },
        { state: 'down', takesSessions: true },
        { state: 'up' },
      ],
    });
    await leave((await open(t, address, backends)).client);
    await startBackend(t, scripts.echo, backends[1]?.address);
    await until('it is over', () => names(told).includes('upstream:panicEnded'));
    t.equal(balancer.snapshot().upstreams[0]?.mode, 'normal');
    t.same(
      told.filter(({ name }) => name !== 'backend:connectFailed'),
      [
        { name: 'backend:down', event: { upstream: 'app', backend: one, reason: FAILED } },
        { name: 'backend:down', event: { upstream: 'app', backend: two, reason: FAILED } },
        { name: 'upstream:panic', event: { upstream: 'app', well: 1, of: 3 } },
        { name: 'backend:up', event: { upstream: 'app', backend: two, reason: '1 health check passed' } },
        { name: 'upstream:panicEnded', event: { upstream: 'app', well: 2, of: 3 } },
      ],
    );
  });

  void t.test(`${place}: what is in maint is not checked, and is checked again when it is ready`, async t => {
    const backend = await startBackend(t);
    const other = await startBackend(t);
    const health = { interval: 20 };
    const { balancer } = await start(t, place, [nameOf(backend), nameOf(other)], { health });
    await until('it is checked', () => backend.peers.length > 2);
    balancer.setBackendState('app', nameOf(backend), 'maint');
    // A probe that was under way may still arrive.
    await until('the other is checked three times more', after(other, 3));
    const { length } = backend.peers;
    await until('and five times more', after(other, 5));
    t.equal(backend.peers.length, length);
    t.match(view(balancer, nameOf(backend)), { state: 'maint', health: 'unchecked' });
    balancer.setBackendState('app', nameOf(backend), 'ready');
    await until('it is checked again', after(backend, 1));
    balancer.removeBackend('app', nameOf(backend));
    await until('the other is checked three times more', after(other, 3));
    const last = backend.peers.length;
    await until('and five times more', after(other, 5));
    t.equal(backend.peers.length, last, 'nor is one that was removed');
  });
}

void t.test(
  'the last backend may be removed; clients are refused until another is added, by name',
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const { balancer, told, address } = await start(t, 'own thread', [nameOf(backend)]);
    balancer.removeBackend('app', nameOf(backend));
    await until('it is down', () => names(told).includes('upstream:down'));
    t.match(balancer.snapshot().upstreams, [{ mode: 'down', backends: [] }]);
    const refused = await connectClient(t, address).catch(() => undefined);
    if (refused !== undefined) t.equal(await refused.untilEnded(), 'reset');
    const port = backend.address.kind === 'tcp' ? backend.address.port : 0;
    balancer.addBackend('app', `localhost:${port}`);
    t.match(view(balancer, `localhost:${port}`), { state: 'unresolved' });
    await until('it is up', () => names(told).includes('upstream:up'));
    await leave((await open(t, address, [backend])).client);
    t.same(
      told.map(({ name }) => name),
      ['backend:removed', 'upstream:down', 'backend:added', 'backend:up', 'upstream:up'],
    );
  },
);

void t.test('a backup stands in for primaries that are gone', async t => {
  const backends = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)] as const;
  const [one, two] = [nameOf(backends[0]), nameOf(backends[1])];
  const { balancer, told, address } = await start(t, 'own thread', [one, { address: two, backup: true }]);
  await untilOnly(t, address, backends, 0);
  t.match(view(balancer, two), { state: 'standby', backup: true });
  balancer.setBackendState('app', one, 'drain');
  await untilOnly(t, address, backends, 1);
  t.equal(balancer.snapshot().upstreams[0]?.mode, 'backups');
  t.match(told.at(-1), { name: 'upstream:backups', event: { backends: [two] } });
});

void t.test('a change that cannot be is refused with its reason, and changes nothing', async t => {
  const balancer = createLoadBalancer({
    workers: 0,
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [{ name: 'app', backends: ['127.0.0.1:1'], health: { port: 7, interval: '1h' } }],
  });
  t.teardown(() => balancer.stop());
  t.throws(() => balancer.setBackendWeight('app', '127.0.0.1:1', 2), { code: 'LB4_WRONG_STATE' });
  await balancer.start();
  const refusals: [change: () => void, error: { code: string; message?: RegExp }][] = [
    [
      () => balancer.setBackendState('api', '127.0.0.1:1', 'drain'),
      { code: 'LB4_UNKNOWN_UPSTREAM', message: /^no upstream is named "api"; there are app$/ },
    ],
    [
      () => balancer.setBackendWeight('app', '127.0.0.1:2', 2),
      { code: 'LB4_UNKNOWN_BACKEND', message: /^upstream app has no backend 127\.0\.0\.1:2$/ },
    ],
    [() => balancer.removeBackend('app', 'nonsense'), { code: 'LB4_UNKNOWN_BACKEND' }],
    [
      () => balancer.setBackendWeight('app', '127.0.0.1:1', 257),
      { code: 'LB4_CONFIG_INVALID', message: /^expected an integer from 0 to 256, got 257$/ },
    ],
    [
      () => balancer.addBackend('app', '127.0.0.1:99999'),
      { code: 'LB4_CONFIG_INVALID', message: /^expected a port from 1 to 65535, got "127\.0\.0\.1:99999"$/ },
    ],
    [
      // @ts-expect-error: what comes from JavaScript
      () => balancer.addBackend('app', { address: '127.0.0.1:2', weigth: 2, maxSessions: 0 }),
      { code: 'LB4_CONFIG_INVALID', message: /unknown key "weigth"; did you mean "weight"\?/ },
    ],
    [() => balancer.addBackend('app', '127.0.0.1:1'), { code: 'LB4_CONFIG_INVALID', message: /already/ }],
    [
      () => balancer.addBackend('app', 'unix:/run/x'),
      { code: 'LB4_CONFIG_INVALID', message: /a unix socket has none$/ },
    ],
  ];
  for (const [change, error] of refusals) t.throws(change, error);
  // @ts-expect-error: what comes from JavaScript
  t.throws(() => balancer.setBackendState('app', '127.0.0.1:1', 'off'), RangeError);
  const { backends } = balancer.snapshot().upstreams[0] ?? {};
  t.match(backends, [{ backend: '127.0.0.1:1', weight: 1, operator: 'ready' }]);
  t.equal(backends?.length, 1);
  balancer.setBackendWeight('app', '127.0.0.1:1', 0);
  t.match(view(balancer, '127.0.0.1:1'), { state: 'drain', weight: 0 });
});
