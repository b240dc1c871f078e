/**
 * Limits of bandwidth over whole balancers: held within 5 % by one session and by a hundred, over one worker and two,
 * with both engines. LB4_TEST_LOAD=full takes ten seconds for each; otherwise it is one of them, and briefly.
 */
import t, { type Test } from 'tap';
import { createLoadBalancer, type ConfigInput } from '../../src/index.ts';
import type { LoadBalancer } from '../../src/load-balancer.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { portOf, startAdmin } from '../harness/admin.ts';
import { startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { startFloods, type Flooded } from '../harness/floods.ts';
import { FULL } from '../harness/full-load.ts';
import { addressOf } from '../harness/listening-address.ts';
import { Scraped } from '../harness/scraped.ts';
import { pause, until } from '../harness/until.ts';

const MIB = 2 ** 20;
const RATE = 10 * MIB;
const SHORT_LOOKS = 8;

type Limits = NonNullable<ConfigInput['listeners'][number]['limits']>;
type Timeouts = NonNullable<ConfigInput['listeners'][number]['timeouts']>;

const configOf = (
  dataPlane: Partial<ConfigInput>,
  backend: Address,
  limits: Limits,
  timeouts: Timeouts = {},
): ConfigInput => ({
  ...dataPlane,
  listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app', limits, timeouts }],
  upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend)] }],
});

async function start(t: Test, config: ConfigInput): Promise<LoadBalancer> {
  const balancer = createLoadBalancer(config);
  t.teardown(() => balancer.stop());
  await balancer.start();
  return balancer;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

interface Held {
  readonly tolerance: number;
  /** The most that one session has of what another has. */
  readonly spread: number;
}

/** Each direction is within `tolerance` of the rate, and its sessions have equal parts but for `spread`. */
function claims({ ms, ...flows }: Flooded, { tolerance, spread }: Held) {
  return Object.entries(flows).map(([direction, bytes]) => {
    const rate = (sum(bytes) * 1000) / ms;
    const parts = Math.max(...bytes) / Math.min(...bytes);
    return {
      isHeld: Math.abs(rate / RATE - 1) <= tolerance && parts <= spread,
      text: `${direction}: ${(rate / MIB).toFixed(3)} MiB/s, the largest part ${parts.toFixed(3)} times the smallest`,
    };
  });
}

const COMBINATIONS: readonly (readonly [dataPlane: Partial<ConfigInput>, sessions: number])[] = FULL
  ? (['epoll', 'node'] as const).flatMap(engine =>
      [1, 2].flatMap(workers => [1, 100].map(sessions => [{ engine, workers }, sessions] as const)),
    )
  : [[DATA_PLANE, 100]];

for (const [dataPlane, sessions] of COMBINATIONS) {
  const where = [
    dataPlane.engine ?? 'auto',
    `${dataPlane.workers ?? 'auto'} workers`,
    `${sessions} sessions`,
  ];
  void t.test(`10 MiB/s are held both ways (${where.join(', ')})`, { timeout: 60_000 }, async t => {
    const floods = await startFloods(t);
    const balancer = await start(t, configOf(dataPlane, floods.backend, { bandwidth: '10MiB/s' }));
    await floods.open(addressOf(balancer), sessions, FULL ? 2_000 : 300);
    const look = async () =>
      FULL
        ? claims(await floods.measure(10_000), { tolerance: 0.05, spread: 1.5 })
        : // A session has ten turns in it.
          claims(await floods.measure(800), { tolerance: 0.15, spread: 3 });
    let seen = await look();
    // A short look may fall into a moment in which a busy machine lets nothing run.
    for (let looks = 1; !FULL && looks < SHORT_LOOKS && seen.some(({ isHeld }) => !isHeld); looks++)
      seen = await look();
    for (const { isHeld, text } of seen) t.ok(isHeld, text);
  });
}

void t.test('each session keeps its own bandwidth', async t => {
  const floods = await startFloods(t);
  const limits = { perSession: { bandwidth: { fromClient: '1MiB/s', fromBackend: '2MiB/s' } } };
  const balancer = await start(t, configOf(DATA_PLANE, floods.backend, limits));
  await floods.open(addressOf(balancer), 4, 100);
  const { ms, fromClient, fromBackend } = await floods.measure(600);
  for (const [direction, bytes, rate] of [
    ['fromClient', fromClient, MIB],
    ['fromBackend', fromBackend, 2 * MIB],
  ] as const)
    for (const each of bytes) {
      const ratio = (each * 1000) / ms / rate;
      t.ok(ratio > 0.5 && ratio < 1.3, `${direction}: ${ratio.toFixed(3)} of the limit`);
    }
  const admin = await startAdmin(t, { port: portOf(balancer) });
  const scraped = new Scraped((await admin.ask('GET', '/metrics')).text);
  for (const by of ['client', 'backend']) {
    const seconds = scraped.sum('lb4_listener_paced_seconds_total', { by });
    t.ok(
      seconds > (2 * ms) / 1000,
      `bytes of each ${by} have waited nearly all the time: ${seconds} s in all`,
    );
  }
});

void t.test('sessions that wait for their turns longer than the idle timeout are not idle', async t => {
  const backend = await startBackend(t, peer => void peer.send(Buffer.alloc(1024)));
  // Twenty sessions have 51 bytes a turn: each waits for a second.
  const config = configOf(DATA_PLANE, backend.address, { bandwidth: '1KiB/s' }, { idle: '500ms' });
  const balancer = await start(t, config);
  const ends: string[] = [];
  balancer.on('session:closed', ({ reason }) => ends.push(reason));
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectClient(t, addressOf(balancer))));
  await pause(1_200);
  t.same(ends, []);
  t.equal(balancer.snapshot().sessions, 20);
  t.ok(sum(clients.map(({ receivedBytes }) => receivedBytes)) < 8 * 1024, 'and they did wait');
  for (const client of clients.slice(1)) client.reset();
  await until('the others have ended', () => ends.length === 19);
  t.same([...new Set(ends)], ['reset'], "a receiver's reset waits for no turn");
});

void t.test('running sessions follow a reload: to another limit, to none, and to one again', async t => {
  const backend = await startBackend(t);
  const slow = configOf(DATA_PLANE, backend.address, { bandwidth: '1KiB/s' });
  const balancer = await start(t, slow);
  const client = await connectClient(t, addressOf(balancer));
  const peer = await backend.next();
  await client.send(Buffer.alloc(128 * 1024));
  await pause(200);
  t.ok(peer.receivedBytes < 4 * 1024, `${peer.receivedBytes} bytes at 1 KiB/s`);
  await balancer.apply(configOf(DATA_PLANE, backend.address, { bandwidth: '10MiB/s' }));
  await until('it has all', () => peer.receivedBytes === 128 * 1024);
  await balancer.apply(configOf(DATA_PLANE, backend.address, { perSession: { bandwidth: '1KiB/s' } }));
  await client.send(Buffer.alloc(128 * 1024));
  await pause(200);
  t.ok(peer.receivedBytes < 132 * 1024, `${peer.receivedBytes} bytes at 1 KiB/s`);
  await balancer.apply(configOf(DATA_PLANE, backend.address, {}));
  await until('it has all', () => peer.receivedBytes === 256 * 1024);
  await client.send(Buffer.alloc(MIB));
  await until('nothing limits it', () => peer.receivedBytes === MIB + 256 * 1024);
  await balancer.apply(slow);
  await client.send(Buffer.alloc(128 * 1024));
  await pause(200);
  t.ok(peer.receivedBytes < MIB + 260 * 1024, 'a session that ran without a limit has one');
});

void t.test('a stop ends sessions whose bytes wait, at once', async t => {
  const backend = await startBackend(t);
  const balancer = await start(t, configOf(DATA_PLANE, backend.address, { bandwidth: '1KiB/s' }));
  const client = await connectClient(t, addressOf(balancer));
  const peer = await backend.next();
  await client.send(Buffer.alloc(128 * 1024));
  await until('some of it has come', () => peer.receivedBytes > 0);
  await balancer.stop();
  t.same(await Promise.all([client.untilEnded(), peer.untilEnded()]), ['reset', 'reset']);
});
