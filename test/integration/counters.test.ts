/**
 * The totals that `/metrics` shows are what clients and backends have counted, byte for byte: over each engine, with and
 * without workers, across a reload and the death of a worker.
 */
import { writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { status as statusSchema } from '../../src/admin/schemas.ts';
import { COUNTERS, createLoadBalancer } from '../../src/index.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import type { CountedSnapshot } from '../../src/model/counted-view.ts';
import { countOf, endingsOf } from '../../src/observe/rates.ts';
import { seeded } from '../../src/sim/seeded.ts';
import { portOf, startAdmin } from '../harness/admin.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { served } from '../harness/served-client.ts';
import { MIRROR_FAILURES } from '../../src/shared-memory/counters/layout.ts';
import { addressOf } from '../harness/listening-address.ts';
import { freePort } from '../harness/programs.ts';
import { Scraped } from '../harness/scraped.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const SESSIONS = 40;
const HEADER = 4;

interface Tally {
  sessions: number;
  fromClients: number;
  fromBackend: number;
}

/** Answers with as many bytes as the first four of its client say, once all that the client sends is there. */
async function startCountingBackend(t: Test): Promise<{ readonly name: string; readonly tally: Tally }> {
  const tally = { sessions: 0, fromClients: 0, fromBackend: 0 };
  const server = createServer({ allowHalfOpen: true }, socket => {
    const chunks: Buffer[] = [];
    tally.sessions += 1;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      tally.fromClients += chunk.length;
    });
    socket.once('end', () => {
      const all = Buffer.concat(chunks);
      const bytes = all.length < HEADER ? 0 : all.readUInt32LE(0);
      tally.fromBackend += bytes;
      socket.end(Buffer.alloc(bytes));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { name: `127.0.0.1:${(server.address() as AddressInfo).port}`, tally };
}

/** Sends some bytes and gets others back. */
async function session(port: number, sends: number, wants: number, tally: Tally): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('data', (chunk: Buffer) => (tally.fromBackend += chunk.length));
  const bytes = Buffer.alloc(HEADER + sends);
  bytes.writeUInt32LE(wants);
  socket.end(bytes);
  await once(socket, 'close');
  tally.sessions += 1;
  tally.fromClients += bytes.length;
}

/** A strategy that takes turns, and ends its thread for a client from 127.0.0.2. */
function deadlyStrategy(t: Test): string {
  const folder = temporaryFolder(t);
  const path = join(folder, 'deadly.mjs');
  writeFileSync(
    path,
    `let turn = 0;
     export function createStrategy(candidates) {
       return { pick({ clientAddress, skip }) {
         if (clientAddress === '127.0.0.2') process.exit(7);
         const free = candidates.filter(candidate => !skip?.(candidate));
         return free[turn++ % free.length];
       } };
     }`,
  );
  return path;
}

for (const [engine, workers] of [
  ['node', 0],
  ['node', 1],
  ['node', 2],
  ['epoll', 1],
  ['epoll', 2],
] as const) {
  const skip = workers > 0 && !loadLibc().ok ? 'workers need koffi on Linux' : false;
  void t.test(`engine ${engine}, ${workers} workers`, { skip }, async t => {
    const backends = await Promise.all([startCountingBackend(t), startCountingBackend(t)]);
    const refusing = `127.0.0.1:${await freePort()}`;
    const strategy = deadlyStrategy(t);
    const config = (weight: number) => ({
      ...{ engine, workers },
      listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
      upstreams: [
        {
          name: 'app',
          health: 'off' as const,
          strategy,
          ejection: 'off' as const,
          backends: [...backends.map(({ name }) => ({ address: name, weight })), { address: refusing }],
        },
      ],
    });
    const balancer = createLoadBalancer(config(1));
    t.teardown(() => balancer.stop());
    await balancer.start();
    const admin = await startAdmin(t, { port: portOf(balancer) });
    const scrape = async (): Promise<Scraped> => new Scraped((await admin.ask('GET', '/metrics')).text);
    const clients = { sessions: 0, fromClients: 0, fromBackend: 0 };
    const random = seeded(15 + workers);
    const size = (): number => Math.floor(random() ** 6 * 300_000);
    const run = async (): Promise<void> => {
      const { port } = addressOf(balancer);
      for (let begun = 0; begun < SESSIONS; begun += 8)
        await Promise.all(Array.from({ length: 8 }, () => session(port, size(), size(), clients)));
      await until('none runs', () => balancer.snapshot().sessions === 0);
    };

    await run();
    const first = await scrape();
    await balancer.apply(config(3));
    await run();
    let killed = 0;

    if (workers > 0) {
      let isBack = false;
      balancer.on('worker:restarted', () => (isBack = true));
      const { port } = addressOf(balancer);
      const deadly = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }).on(
        'error',
        () => undefined,
      );
      deadly.resume();
      await until('the worker is back', () => isBack);
      killed = 1;
      await run();
    }
    const last = await scrape();

    const served = { reason: 'closed' };
    t.equal(last.sum('lb4_listener_sessions_total', served), clients.sessions);
    t.equal(last.sum('lb4_upstream_sessions_total', served), clients.sessions);
    t.equal(last.sum('lb4_listener_sessions_total', { reason: 'workerDied' }), killed);
    t.equal(last.sum('lb4_listener_sessions_total'), last.sum('lb4_listener_sessions_started_total'));
    t.equal(last.sum('lb4_listener_bytes_total', { by: 'client' }), clients.fromClients);
    t.equal(last.sum('lb4_listener_bytes_total', { by: 'backend' }), clients.fromBackend);
    t.ok(
      first.sum('lb4_listener_bytes_total', { by: 'client' }) < clients.fromClients,
      'the reload took none away',
    );
    for (const { name: backend, tally } of backends) {
      t.equal(last.sum('lb4_backend_sessions_total', { ...served, backend }), tally.sessions);
      t.equal(last.sum('lb4_backend_bytes_total', { backend, by: 'client' }), tally.fromClients);
      t.equal(last.sum('lb4_backend_bytes_total', { backend, by: 'backend' }), tally.fromBackend);
      t.equal(last.sum('lb4_backend_connections_total', { backend, state: 'new' }), tally.sessions);
      t.equal(last.sum('lb4_backend_connect_seconds_count', { backend }), tally.sessions);
      t.ok(last.sum('lb4_backend_first_byte_seconds_count', { backend }) <= tally.sessions);
    }
    const failures = last.sum('lb4_backend_connect_failures_total', { backend: refusing, reason: 'refused' });
    const further = last.sum('lb4_upstream_redispatches_total') + last.sum('lb4_upstream_retries_total');
    t.ok(failures > 0);
    t.equal(further, failures, 'each of them led to another attempt');
    t.equal(
      last.sum('lb4_backend_picks_total'),
      clients.sessions + last.sum('lb4_upstream_redispatches_total'),
    );
    t.equal(
      last.sum('lb4_upstream_session_duration_seconds_count'),
      last.sum('lb4_upstream_sessions_total'),
      'every session has lasted for some time',
    );
    t.equal(last.sum('lb4_worker_deaths_total'), killed);
    t.equal(last.sum('lb4_sessions_active'), 0);
    const looks = (): number => balancer.counters()?.instance.times(COUNTERS.instance.loopDelay).count ?? 0;
    await until('a timer was looked at', () => looks() > 0);
    const { connect: connects, bytes } = COUNTERS.backend;
    for (const [i, { counts }] of (balancer.counters()?.upstreams[0]?.backends ?? []).entries()) {
      const { sessions = 0, fromClients = 0, fromBackend = 0 } = backends[i]?.tally ?? {};
      t.equal(counts.total(bytes), fromClients + fromBackend, 'the library has the same');
      t.equal(counts.times(connects).count, sessions);
      const half = counts.times(connects).quantile(0.5);
      t.ok(half === undefined ? sessions === 0 : half > 0 && half < 60);
    }
    const shown = (await admin.ask('GET', '/api/v1/status')).json as unknown as CountedSnapshot;
    t.ok(statusSchema.parse(shown), 'the status has it, as documented');
    const [listener, upstream] = [shown.listeners[0]?.counts, shown.upstreams[0]];
    t.same(listener, {
      started: clients.sessions + killed,
      bytes: { client: clients.fromClients, backend: clients.fromBackend },
      refused: [],
    });
    t.equal(upstream?.counts?.ended.find(({ reason }) => reason === 'closed')?.sessions, clients.sessions);
    t.same(endingsOf(upstream?.counts?.ended ?? []), { all: clients.sessions + killed, failed: killed });
    t.equal((upstream?.counts?.redispatches ?? 0) + (upstream?.counts?.retries ?? 0), failures);
    for (const { backend, counts } of upstream?.backends ?? []) {
      const tally = backends.find(({ name }) => name === backend)?.tally;
      const { sessions = 0, fromClients = 0, fromBackend = 0 } = tally ?? {};
      t.match(counts, {
        ...{ connections: sessions, resets: 0, bytes: { client: fromClients, backend: fromBackend } },
        connectFailures: tally === undefined ? failures : 0,
      });
      t.equal(countOf(counts?.connect ?? []), sessions);
    }
  });

  void t.test(
    `live sessions of an upstream are those of its clients: engine ${engine}, ${workers} workers`,
    { skip },
    async t => {
      const echoes = await Promise.all([startBackend(t, scripts.echo), startBackend(t, scripts.echo)]);
      const balancer = createLoadBalancer({
        ...{ engine, workers },
        listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
        upstreams: [
          {
            ...{ name: 'app', health: 'off', strategy: 'roundrobin' },
            backends: echoes.map(({ address }) => formatAddress(address)),
          },
        ],
      });
      t.teardown(() => balancer.stop());
      await balancer.start();
      const { ask } = await startAdmin(t, { port: portOf(balancer) });
      const active = async (): Promise<number[]> => {
        const scraped = new Scraped((await ask('GET', '/metrics')).text);
        const names = ['lb4_upstream_sessions_active', 'lb4_backend_sessions_active', 'lb4_sessions_active'];
        return names.map(name => scraped.sum(name));
      };
      const clients = [];
      for (let i = 0; i < 3; i++) clients.push(await served(t, balancer));
      t.same(await active(), [3, 3, 3]);
      balancer.removeBackend('app', formatAddress(echoes[0].address));
      t.same(await active(), [3, 3, 3], 'also those of a backend that was removed');
      for (const client of clients) client.socket.destroy();
      await until('none runs', () => balancer.snapshot().sessions === 0);
      t.same(await active(), [0, 0, 0]);
    },
  );

  void t.test(
    `bytes count while their session runs: engine ${engine}, ${workers} workers`,
    { skip },
    async t => {
      const backend = await startBackend(t, scripts.echo);
      const balancer = createLoadBalancer({
        ...{ engine, workers },
        listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
        upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)] }],
      });
      t.teardown(() => balancer.stop());
      await balancer.start();
      const { listener, backend: ofBackend } = COUNTERS;
      const counted = (): number[] => {
        const [web, app] = [
          balancer.counters()?.listeners[0],
          balancer.counters()?.upstreams[0]?.backends[0],
        ];
        return [0, 1].flatMap(side => [
          web?.counts.of(listener.bytes, side) ?? 0,
          app?.counts.of(ofBackend.bytes, side) ?? 0,
        ]);
      };
      const all = (bytes: number) => () => counted().every(each => each === bytes);
      const client = await connectClient(t, {
        kind: 'tcp',
        host: '127.0.0.1',
        port: addressOf(balancer).port,
      });
      client.socket.write('x'.repeat(70_000));
      await until('it is counted', all(70_000));
      client.socket.write('y');
      await until('what came later is counted, too', all(70_001));
      t.equal(balancer.snapshot().sessions, 1, 'the session still runs');
      client.socket.end('zz');
      await until('it has ended', () => balancer.snapshot().sessions === 0);
      t.same(counted(), [70_003, 70_003, 70_003, 70_003], 'and nothing is counted twice');
    },
  );
}

void t.test('failed exchanges through Redis are counted over a change of `redis`', async t => {
  const backend = await startCountingBackend(t);
  const config = async (publish: number) => ({
    ...{ workers: 0, redis: { url: `redis://127.0.0.1:${await freePort()}`, publish } },
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
    upstreams: [{ name: 'app', health: 'off' as const, backends: [backend.name] }],
  });
  const balancer = createLoadBalancer(await config(100));
  t.teardown(() => balancer.stop());
  await balancer.start();
  const failures = (): number => {
    const counts = balancer.counters()?.upstreams[0]?.counts;
    return counts?.of(COUNTERS.upstream.mirrorFailures, MIRROR_FAILURES.indexOf('unreachable')) ?? 0;
  };
  await until('three have failed', () => failures() >= 3);
  await balancer.apply(await config(110));
  const before = failures();
  t.ok(before >= 3);
  await until('and another one', () => failures() > before);
  const { ask } = await startAdmin(t, { port: portOf(balancer) });
  const scraped = new Scraped((await ask('GET', '/metrics')).text);
  const labels = { upstream: 'app', reason: 'unreachable' };
  t.ok(scraped.sum('lb4_mirror_failures_total', labels) > before);
  t.equal(scraped.sum('lb4_mirror_failures_total'), scraped.sum('lb4_mirror_failures_total', labels));
});
