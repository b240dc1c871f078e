/** Several data-plane threads with real traffic: exact counts and limits, and what happens when one dies or stalls. */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer, type EventMap, type LoadBalancer } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { socketPath } from '../contracts/engine/fixture.ts';
import { scripts, startBackend, type Backend } from '../harness/backend.ts';
import { connectClient, untilRefused } from '../harness/client.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import type { Peer } from '../harness/peer.ts';
import { connectFrom, served } from '../harness/served-client.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const skip = loadLibc().ok ? false : 'workers need koffi on Linux';

interface Options {
  readonly engine?: 'epoll' | 'node';
  readonly workers: number;
  readonly listener?: Partial<ConfigInput['listeners'][number]>;
  readonly upstream?: Partial<ConfigInput['upstreams'][number]>;
  readonly limits?: ConfigInput['limits'];
}

function create(
  t: Test,
  backends: readonly Backend[],
  { engine, workers, listener, upstream, limits }: Options,
) {
  const balancer = createLoadBalancer({
    ...DATA_PLANE,
    ...(engine && { engine }),
    workers,
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app', ...listener }],
    upstreams: [
      {
        name: 'app',
        health: 'off',
        backends: backends.map(({ address }) => formatAddress(address)),
        ...upstream,
      },
    ],
    ...(limits === undefined ? {} : { limits }),
  });
  t.teardown(() => balancer.stop());
  return balancer;
}

/** Says something and hears it again; false when the connection has ended. */
async function answers(client: Peer): Promise<boolean> {
  const before = client.text.length;
  await client.send('?').catch(() => undefined);
  await until('it answers or has ended', () => client.text.length > before || client.ending !== undefined);
  return client.ending === undefined;
}

/** Serves clients until every worker has at least one of them. */
async function servedByAll(t: Test, balancer: LoadBalancer): Promise<Peer[]> {
  const clients: Peer[] = [];
  for (;;) {
    clients.push(await served(t, balancer));
    if (balancer.snapshot().workers.every(({ sessions }) => sessions > 0)) return clients;
  }
}

function seen<N extends keyof EventMap>(balancer: LoadBalancer, name: N): EventMap[N][] {
  const events: EventMap[N][] = [];
  balancer.on(name, event => events.push(event));
  return events;
}

/**
 * A strategy that misbehaves when it is asked for a client from one of these addresses: 127.0.0.2 ends the
 * thread, 127.0.0.3 throws where nobody catches it, 127.0.0.4 blocks for 3.5 s, 127.0.0.5 for ever.
 */
function faultyStrategy(t: Test): string {
  const folder = temporaryFolder(t);
  const path = join(folder, 'faulty.mjs');
  const block = (ms: string): string => `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${ms})`;
  writeFileSync(
    path,
    `import { writeFileSync } from 'node:fs';
     export function createStrategy(candidates) {
       return { pick({ clientAddress, skip }) {
         if (clientAddress === '127.0.0.2') process.exit(7);
         if (clientAddress === '127.0.0.3') setImmediate(() => { throw new Error('out of its mind'); });
         if (clientAddress === '127.0.0.4') ${block('3500')};
         if (clientAddress === '127.0.0.5') { writeFileSync(${JSON.stringify(`${path}.blocked`)}, ''); ${block('Infinity')}; }
         return candidates.find(candidate => !skip?.(candidate));
       } };
     }`,
  );
  return path;
}

/** A program: as many clients as said connect to a port of 127.0.0.1, say hello and go, without waiting for an answer. */
const CONNECT_AND_LEAVE = `((port, count) => {
  let said = 0;
  const connect = () => require('node:net').connect(port, '127.0.0.1');
  for (let i = 0; i < count; i++) connect().end('hello', () => { if (++said === count) process.exit(); });
})`;

void t.test('leastconn is exact over two workers', { skip }, async t => {
  const backends = await Promise.all([1, 2, 3].map(() => startBackend(t, scripts.echo)));
  const balancer = create(t, backends, { workers: 2, upstream: { strategy: 'leastconn' } });
  await balancer.start();
  const live = () => balancer.snapshot().upstreams[0]?.backends.map(({ sessions }) => sessions) ?? [];
  for (let i = 0; i < 30; i++) {
    await served(t, balancer);
    t.ok(Math.max(...live()) - Math.min(...live()) <= 1, `after ${i + 1}: ${live().join(', ')}`);
  }
  const { workers, sessions } = balancer.snapshot();
  t.equal(sessions, 30);
  t.equal(
    workers.reduce((sum, worker) => sum + worker.sessions, 0),
    30,
  );
  t.ok(
    workers.every(worker => worker.sessions > 0 && worker.state === 'running'),
    'both take part',
  );
});

void t.test(
  'no limit is passed by four workers under a burst, and every client is served',
  { skip },
  async t => {
    let most = { backend: 0, listener: 0, instance: 0 };
    const look = (): void => {
      const { sessions, listeners, upstreams } = balancer.snapshot();
      most = {
        instance: Math.max(most.instance, sessions),
        listener: Math.max(most.listener, listeners[0]?.sessions ?? 0),
        backend: Math.max(most.backend, upstreams[0]?.backends[0]?.sessions ?? 0),
      };
    };
    const backend = await startBackend(t, peer => {
      look();
      scripts.echo(peer);
    });
    const balancer: LoadBalancer = create(t, [], {
      workers: 4,
      listener: { limits: { maxSessions: 10 } },
      upstream: { backends: [{ address: formatAddress(backend.address), maxSessions: 10 }] },
      limits: { maxSessions: 10 },
    });
    const records = seen(balancer, 'session:closed');
    const paused = seen(balancer, 'listener:paused');
    const resumed = seen(balancer, 'listener:resumed');
    await balancer.start();
    const watch = setInterval(look, 1);
    t.teardown(() => clearInterval(watch));
    const address = addressOf(balancer);
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const client = await connectClient(t, address);
        await client.send(`client ${i}`);
        await client.untilText(`client ${i}`);
        client.halfClose();
        t.equal(await client.untilEnded(), 'fin');
      }),
    );
    await until('all are reported', () => records.length >= 200);
    t.equal(records.length, 200);
    t.equal(new Set(records.map(({ id }) => id)).size, 200, 'no id comes twice');
    t.ok(
      records.every(({ reason }) => reason === 'closed'),
      'none was turned away',
    );
    t.same(most, { backend: 10, listener: 10, instance: 10 });
    await until('it is resumed', () => paused.length === resumed.length);
    t.ok(paused.length > 0, 'clients had to wait');
    t.match(balancer.snapshot(), { sessions: 0, sessionsEver: 200, listeners: [{ paused: false }] });
  },
);

for (const [how, from, reason] of [
  ['ended by its strategy', '127.0.0.2', /exit code 7/],
  ['brought down by an error', '127.0.0.3', /out of its mind/],
] as const) {
  void t.test(
    `a worker ${how} comes back; the others, and the clients in its queue, are unharmed`,
    { skip },
    async t => {
      const backend = await startBackend(t, scripts.echo);
      const balancer = create(t, [backend], { workers: 2, upstream: { strategy: faultyStrategy(t) } });
      const exited = seen(balancer, 'worker:exited');
      const restarted = seen(balancer, 'worker:restarted');
      const records = seen(balancer, 'session:closed');
      await balancer.start();
      const before = await servedByAll(t, balancer);
      const sessions = balancer.snapshot().workers.map(worker => worker.sessions);

      connectFrom(t, balancer, from);
      await until('it is dead', () => exited.length === 1);
      const [{ worker: dead, ...death } = { worker: 0, reason: '', sessions: 0 }] = exited;
      t.match(death, { reason, restartInMs: 100 });
      const lost = sessions[dead - 1] ?? 0;
      t.ok(
        death.sessions >= lost && death.sessions <= lost + 1,
        'with its sessions, the deadly one maybe included',
      );
      t.equal(balancer.snapshot().sessions, before.length - lost, 'which leave the books');
      t.equal(balancer.snapshot().workers[dead - 1]?.state, 'restarting');

      const meanwhile = await Promise.all(Array.from({ length: 16 }, () => served(t, balancer)));
      await until('it is back', () => restarted.length === 1);
      const alive = await Promise.all(before.map(answers));
      t.equal(alive.filter(Boolean).length, before.length - lost, 'the other’s clients never noticed');
      t.ok(
        before.every(({ ending }) => ending === undefined || ending === 'reset'),
        'its own are reset',
      );
      t.same(await Promise.all(meanwhile.map(answers)), Array(16).fill(true));
      await servedByAll(t, balancer);
      t.ok(
        balancer.snapshot().workers.every(({ state }) => state === 'running'),
        'both serve again',
      );

      await balancer.stop();
      t.equal(balancer.snapshot().sessions, 0);
      t.equal(new Set(records.map(({ id }) => id)).size, records.length, 'no id comes twice');
      t.match(
        records.filter(record => record.reason === 'workerDied').length,
        death.sessions,
        'every session that died with it is accounted for',
      );
    },
  );
}

void t.test('a worker that stands still is named, and so is its recovery', { skip }, async t => {
  const backend = await startBackend(t, scripts.echo);
  const balancer = create(t, [backend], { workers: 2, upstream: { strategy: faultyStrategy(t) } });
  const stalled = seen(balancer, 'worker:stalled');
  const resumed = seen(balancer, 'worker:resumed');
  await balancer.start();
  connectFrom(t, balancer, '127.0.0.4');
  await until('it is called stalled', () => stalled.length > 0);
  const [{ worker, forMs } = { worker: 0, forMs: 0 }] = stalled;
  t.ok(forMs >= 2_000 && forMs < 3_500, String(forMs));
  t.equal(balancer.snapshot().workers[worker - 1]?.state, 'stalled');
  await until('it goes on', () => resumed.length > 0);
  t.same([stalled.length, resumed], [1, [{ worker }]]);
});

void t.test('stopping does not wait for a worker that stands still for ever', { skip }, async t => {
  const backend = await startBackend(t, scripts.echo);
  const strategy = faultyStrategy(t);
  const balancer = create(t, [backend], { workers: 2, upstream: { strategy } });
  const exited = seen(balancer, 'worker:exited');
  await balancer.start();
  const clients = await servedByAll(t, balancer);
  connectFrom(t, balancer, '127.0.0.5');
  await until('it stands still', () => existsSync(`${strategy}.blocked`));
  await balancer.stop();
  t.match(exited, [{ sessions: Number }]);
  t.notOk(exited[0] && 'restartInMs' in exited[0], 'it is not started again');
  await Promise.all(clients.map(client => client.untilEnded()));
  t.equal(balancer.snapshot().sessions, 0);
});

void t.test('draining loses nobody who had connected, whichever worker has them', { skip }, async t => {
  const backend = await startBackend(t, scripts.echo);
  const balancer = create(t, [backend], { workers: 2 });
  const records = seen(balancer, 'session:closed');
  await balancer.start();
  const address = addressOf(balancer);
  const clients = await Promise.all(Array.from({ length: 60 }, () => connectClient(t, address)));
  const drained = balancer.drain(20_000);
  await untilRefused(t, address);
  await Promise.all(
    clients.map(async (client, i) => {
      await client.send(`client ${i}`);
      await client.untilText(`client ${i}`);
      client.halfClose();
      t.equal(await client.untilEnded(), 'fin');
    }),
  );
  await drained;
  t.equal(balancer.state, 'stopped');
  const whole = records.filter(record => record.bytesFromClient > 0);
  t.equal(whole.length, 60, 'each had its session');
  t.notOk(records.some(({ reason }) => reason === 'drainTimeout'));
});

void t.test('draining loses nobody who waits at the socket of a worker that has died', { skip }, async t => {
  const backend = await startBackend(t, scripts.echo);
  const balancer = create(t, [backend], { workers: 2, upstream: { strategy: faultyStrategy(t) } });
  const records = seen(balancer, 'session:closed');
  await balancer.start();
  const { port } = addressOf(balancer);
  let drained: Promise<void> | undefined;
  balancer.on('worker:exited', () => {
    // Nothing else happens in this thread meanwhile: the worker is still dead when the drain begins.
    execFileSync(process.execPath, ['-e', `${CONNECT_AND_LEAVE}(${port}, 30)`]);
    drained = balancer.drain(20_000);
  });
  connectFrom(t, balancer, '127.0.0.2');
  await until('it is dead', () => drained !== undefined);
  await drained;
  const whole = records.filter(({ bytesFromClient }) => bytesFromClient === 5);
  t.equal(whole.length, 30, 'each had its session');
});

void t.test('a unix socket of a successor stays when its predecessor ends', { skip }, async t => {
  const path = socketPath(t);
  const backend = await startBackend(t, scripts.echo);
  const bind = `unix:${path}`;
  for (const engine of ['epoll', 'node'] as const) {
    const [old, successor] = [1, 2].map(() =>
      create(t, [backend], { engine, workers: 1, listener: { bind } }),
    );
    await old?.start();
    rmSync(path);
    await successor?.start();
    await old?.drain();
    const client = await connectClient(t, { kind: 'unix', path });
    await client.send('hello');
    await client.untilText('hello');
    client.halfClose();
    await successor?.drain();
    t.notOk(existsSync(path), 'its own is gone then');
  }
});

void t.test('spare connections are shared among the workers, and seen in one place', { skip }, async t => {
  const backend = await startBackend(t, scripts.echo);
  const balancer = create(t, [backend], { workers: 2, upstream: { pool: { warm: 4 } } });
  await balancer.start();
  const pool = () => balancer.snapshot().upstreams[0]?.backends[0]?.pool;
  await until('four are parked', () => pool()?.parked === 4);
  t.equal(backend.peers.length, 4, 'not four for each worker');
  await served(t, balancer);
  await until('one was used', () => pool()?.hits === 1);
});

void t.test('sessions are reported while somebody listens', { skip }, async t => {
  const backend = await startBackend(t, scripts.echo);
  const balancer = create(t, [backend], { workers: 1 });
  await balancer.start();
  const end = async (): Promise<void> => {
    const client = await served(t, balancer);
    client.halfClose();
    await client.untilEnded();
    await until('it is over', () => balancer.snapshot().sessions === 0);
  };
  await end();
  const records: string[] = [];
  const unsubscribe = balancer.on('session:closed', ({ id }) => records.push(id));
  // A worker hears of it at its next turn, and a session may be over before that.
  while (records.length === 0) await end();
  t.not(records[0], '1-1', 'but none that had ended before');
  unsubscribe();
  const reported = records.length;
  await end();
  await balancer.stop();
  t.equal(records.length, reported, 'and none afterwards');
});
