/**
 * The figures of `/metrics` that are not counted per session are true as well: connections to backends, evictions from
 * pools, the retry budget, and how long clients have waited at a paused listener.
 */
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress } from '../../src/support/address.ts';
import { portOf, startAdmin } from '../harness/admin.ts';
import { refusingAddress, startBackend } from '../harness/backend.ts';
import { addressOf } from '../harness/listening-address.ts';
import { Scraped } from '../harness/scraped.ts';
import { pause, until } from '../harness/until.ts';

/** Greets, and holds every connection until its other side ends it. */
async function startHolder(t: Test) {
  const { address, peers } = await startBackend(t, peer => {
    peer.socket.once('end', () => peer.halfClose());
    void peer.send('hello');
  });
  return { address: formatAddress(address), held: () => peers.filter(({ closed }) => !closed) };
}

interface Client {
  readonly socket: Socket;
  /** When it had connected and when the backend's greeting came; 0 before. */
  connectedAtMs: number;
  greetedAtMs: number;
}

function startClient(t: Test, { host, port }: { host: string; port: number }): Client {
  const socket = connect({ host, port });
  const client: Client = { socket, connectedAtMs: 0, greetedAtMs: 0 };
  socket.on('error', () => undefined);
  socket.once('connect', () => (client.connectedAtMs = performance.now()));
  socket.once('data', () => (client.greetedAtMs = performance.now()));
  t.teardown(() => socket.destroy());
  return client;
}

async function start(
  t: Test,
  config: Parameters<typeof createLoadBalancer>[0],
): Promise<{ balancer: LoadBalancer; scrape: () => Promise<Scraped> }> {
  const balancer = createLoadBalancer(config);
  t.teardown(() => balancer.stop());
  await balancer.start();
  const { ask } = await startAdmin(t, { port: portOf(balancer) });
  return { balancer, scrape: async () => new Scraped((await ask('GET', '/metrics')).text) };
}

for (const [engine, workers] of [
  ['node', 0],
  ['node', 2],
  ['epoll', 1],
  ['epoll', 2],
] as const) {
  const skip = workers > 0 && !loadLibc().ok ? 'workers need koffi on Linux' : false;
  const setUp = (backends: readonly string[], upstream: object = {}, listener: object = {}) => ({
    ...{ engine, workers },
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app', ...listener }],
    upstreams: [
      { name: 'app', health: 'off' as const, ejection: 'off' as const, backends: [...backends], ...upstream },
    ],
  });

  void t.test(`engine ${engine}, ${workers} workers`, { skip }, async t => {
    await t.test('source ports are the connections that a backend sees, parked ones too', async t => {
      const { address, held } = await startHolder(t);
      const { balancer, scrape } = await start(t, setUp([address], { pool: { warm: 4 } }));
      const shown = async () => (await scrape()).sum('lb4_backend_source_ports', { backend: address });
      await until('spares are parked', async () => held().length >= 4 && (await shown()) === held().length);
      const clients = Array.from({ length: 5 }, () => startClient(t, addressOf(balancer)));
      await until('all are served', () => clients.every(({ greetedAtMs }) => greetedAtMs > 0));
      await until('sessions count', async () => held().length === 9 && (await shown()) === 9);
      t.equal((await scrape()).sum('lb4_backend_sessions_active', { backend: address }), 5);
      // The pool is replaced by one that parks nothing; what it has lent is still open.
      await balancer.apply(setUp([address]));
      await until('spares are gone', async () => held().length === 5 && (await shown()) === 5);
      for (const { socket } of clients) socket.destroy();
      await until('sessions are gone', async () => held().length === 0 && (await shown()) === 0);
    });

    await t.test('evictions from the pool are counted by reason', async t => {
      const { address, held } = await startHolder(t);
      const { balancer, scrape } = await start(t, setUp([address], { pool: { warm: 4 } }));
      const evicted = async (reason: string) =>
        (await scrape()).sum('lb4_backend_pool_evictions_total', { backend: address, reason });
      const parked = async () => (await scrape()).sum('lb4_backend_parked_connections', { backend: address });
      await until('four are parked', async () => held().length === 4 && (await parked()) === 4);
      const doomed = held();
      for (const { socket } of doomed) socket.destroy();
      await until('they are counted', async () => (await evicted('dead')) === doomed.length);
      await until('there are others', async () => held().length === 4 && (await parked()) === 4);
      balancer.setBackendState('app', address, 'drain');
      await until('those are given up', async () => (await evicted('drained')) === 4);
      t.equal((await scrape()).sum('lb4_backend_pool_evictions_total'), doomed.length + 4, 'each once');
    });

    await t.test('the retry budget is 0 when a session has ended for want of it', async t => {
      const refusing = await Promise.all([refusingAddress(), refusingAddress()]);
      const connectSettings = { attempts: 4, retryBudget: { percent: 0, minPerSecond: 1 } };
      const { balancer, scrape } = await start(
        t,
        setUp(
          refusing.map(formatAddress),
          // Only attempts at backends that are not well are charged to it.
          { connect: connectSettings, health: { interval: 50, intervalChanging: 50, timeout: 50 } },
        ),
      );
      const left = async () => (await scrape()).sum('lb4_upstream_retry_budget_left');
      await until('it is whole', async () => (await left()) === 10);
      const spent = async () =>
        (await scrape()).sum('lb4_upstream_sessions_total', { reason: 'retryBudget' }) > 0;
      await until('it is spent', async () => {
        const { socket } = startClient(t, addressOf(balancer));
        await new Promise(resolve => socket.once('close', resolve));
        return (await left()) === 0 && (await spent());
      });
      const scraped = await scrape();
      const further =
        scraped.sum('lb4_upstream_retries_total') + scraped.sum('lb4_upstream_redispatches_total');
      t.ok(further >= 10, `${further} attempts were allowed`);
    });

    await t.test('how long clients have waited at a paused listener is what they saw', async t => {
      const { address } = await startHolder(t);
      const { balancer, scrape } = await start(t, setUp([address], {}, { limits: { maxSessions: 1 } }));
      const where = addressOf(balancer);
      const first = startClient(t, where);
      await until('it is served', () => first.greetedAtMs > 0);
      await until('the listener is paused', () => balancer.snapshot().listeners[0]?.paused === true);
      const waiting = Array.from({ length: 3 }, () => startClient(t, where));
      await until('they are connected', () => waiting.every(({ connectedAtMs }) => connectedAtMs > 0));
      await pause(100);
      for (const [i, { socket }] of [first, ...waiting].entries()) {
        await until('one is served', () => waiting.filter(({ greetedAtMs }) => greetedAtMs > 0).length >= i);
        if (i === 0) socket.destroy();
        else waiting.find(each => each.greetedAtMs > 0 && !each.socket.destroyed)?.socket.destroy();
      }
      await until('no worker pauses', () => {
        const { sessions, listeners } = balancer.snapshot();
        return sessions === 0 && listeners[0]?.paused === false;
      });
      const scraped = await scrape();
      t.equal(scraped.sum('lb4_listener_wait_seconds_count'), waiting.length, 'the first one has not waited');
      const seenMs = waiting.reduce(
        (sum, { connectedAtMs, greetedAtMs }) => sum + greetedAtMs - connectedAtMs,
        0,
      );
      const shownMs = 1_000 * scraped.sum('lb4_listener_wait_seconds_sum');
      // Ticks of the kernel's clock, and the connect to the backend, which clients see as well.
      t.ok(shownMs > 250 && Math.abs(seenMs - shownMs) < 150, `they saw ${seenMs} ms, shown are ${shownMs}`);
      const after = startClient(t, where);
      await until('one that comes later is served', () => after.greetedAtMs > 0);
      t.equal((await scrape()).sum('lb4_listener_wait_seconds_count'), waiting.length, 'and has not waited');
    });
  });
}
