/** Waiting for a backend with room, with real traffic: order, limits, and what ends a wait. */
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer, type SessionRecord } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { startBackend, type Backend, type Script } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import type { Peer } from '../harness/peer.ts';
import { until } from '../harness/until.ts';

const hasWorkers = loadLibc().ok;

interface Options {
  readonly workers: number;
  readonly limit: number;
  readonly queue?: { readonly max?: number; readonly timeout?: number };
}

async function start(t: Test, backends: readonly Backend[], { workers, limit, queue }: Options) {
  const balancer = createLoadBalancer({
    ...(workers === 0 ? {} : DATA_PLANE),
    workers,
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
    upstreams: [
      {
        name: 'app',
        health: 'off',
        backends: backends.map(({ address }) => ({ address: formatAddress(address), maxSessions: limit })),
        queue: { max: 1000, timeout: 30_000, ...queue },
      },
    ],
  });
  const records: SessionRecord[] = [];
  balancer.on('session:closed', record => records.push(record));
  t.teardown(() => balancer.stop());
  await balancer.start();
  return { balancer, records, address: addressOf(balancer) };
}

/** A backend that answers each client's number and closes, and keeps a record of how many it had at once. */
function counting() {
  const seen = { now: 0, most: 0, numbers: [] as number[] };
  const script: Script = peer => {
    seen.now += 1;
    peer.socket.once('end', () => (seen.now -= 1));
    // Not before everything is read that came with it: an earlier session's FIN, above all.
    setImmediate(() => (seen.most = Math.max(seen.most, seen.now)));
    peer.socket.once('data', (bytes: Buffer) => {
      seen.numbers.push(Number(bytes.toString()));
      peer.socket.end(`served ${bytes.toString()}`);
    });
  };
  return { seen, script };
}

const DATA_PLANES = [0, 1, 2].map(workers => ({ workers, skip: workers > 0 && !hasWorkers }));

for (const { workers, skip } of DATA_PLANES) {
  void t.test(
    `a burst of 1,000 clients on backends for 10 each is served completely and in order: ${workers} workers`,
    { skip: skip && 'workers need koffi on Linux' },
    async t => {
      const { seen: all, script: first } = counting();
      const { seen: others, script: second } = counting();
      const order: number[] = [];
      const both = [first, second].map(script => (peer: Peer) => {
        peer.socket.once('data', (bytes: Buffer) => order.push(Number(bytes.toString())));
        script(peer);
      });
      const backends = await Promise.all(both.map(script => startBackend(t, script)));
      const { address, balancer, records } = await start(t, backends, { workers, limit: 10 });
      const ports: number[] = [];
      const clients: Peer[] = [];
      for (let i = 0; i < 1000; i++) {
        const client = await connectClient(t, address);
        void client.send(String(i));
        // It closes when it has its answer: until then its session counts.
        client.socket.once('end', () => client.halfClose());
        clients.push(client);
        ports.push(client.socket.localPort ?? 0);
      }
      for (const client of clients) await client.untilEnded();
      const unserved = clients.filter((client, i) => client.text !== `served ${i}`);
      t.equal(unserved.length, 0, 'everyone has its own answer');
      t.ok(all.most <= 10 && others.most <= 10, `at most ${all.most} and ${others.most} at once`);
      await until('everyone is accounted for', () => records.length === 1000);
      // Two workers accept independently of each other: each serves its own clients in order.
      const workerOf = new Map(records.map(({ clientPort, id }) => [clientPort, id.split('-').at(-2)]));
      for (const worker of new Set(workerOf.values())) {
        const own = order.filter(number => workerOf.get(ports[number] ?? 0) === worker);
        const sorted = own.toSorted((a, b) => a - b);
        const worst = Math.max(...own.map((number, place) => Math.abs(sorted.indexOf(number) - place)));
        // At most 20 are under way at a time; these may pass each other between balancer and backend.
        t.ok(worst < 20, `of ${own.length} clients none is served more than ${worst} places from its own`);
      }
      await until('nobody is counted any more', () =>
        balancer.snapshot().upstreams[0]!.backends.every(({ sessions }) => sessions === 0),
      );
    },
  );
}

void t.test(
  'a client that resets while it waits is out at once; one that half-closes gets its answer',
  async t => {
    const { script, seen } = counting();
    const backend = await startBackend(t, script);
    const { address, records, balancer } = await start(t, [backend], {
      workers: hasWorkers ? 1 : 0,
      limit: 1,
    });
    const first = await connectClient(t, address);
    await until('the first is at the backend', () => seen.now === 1);
    const leaving = await connectClient(t, address);
    const patient = await connectClient(t, address);
    await patient.send('7');
    patient.halfClose();
    await until('all three have a session', () => balancer.snapshot().sessions === 3);
    leaving.reset();
    await until('the session of the one that left is closed', () => records.length === 1);
    t.match(records, [{ by: 'client', phase: 'queue', reason: 'reset', attempts: 0 }]);
    await first.send('1');
    await first.untilEnded();
    first.halfClose();
    t.equal(await patient.untilEnded(), 'fin');
    t.equal(patient.text, 'served 7');
    t.same(seen.numbers, [1, 7], 'the backend never saw the one that left');
  },
);

void t.test('a wait ends with queue.timeout, and a full line refuses at once', async t => {
  const { script, seen } = counting();
  const backend = await startBackend(t, script);
  const { address, records, balancer } = await start(t, [backend], {
    workers: hasWorkers ? 2 : 0,
    limit: 1,
    queue: { max: 1, timeout: 300 },
  });
  const told: string[] = [];
  balancer.on('upstream:queueing', ({ upstream }) => told.push(`${upstream} queues`));
  balancer.on('upstream:queueingEnded', ({ upstream }) => told.push(`${upstream} queues no more`));
  await connectClient(t, address);
  await until('the first is at the backend', () => seen.now === 1);
  const second = await connectClient(t, address);
  await second.send('2');
  await until('it waits', () => balancer.snapshot().upstreams[0]?.queue.waiting === 1);
  const refused = connectClient(t, address).then(client => client.untilEnded());
  t.equal(await refused.catch(() => 'reset'), 'reset');
  t.equal(await second.untilEnded(), 'reset');
  await until('both are accounted for', () => records.length === 2);
  const reasons = records.map(({ phase, reason }) => `${phase} ${reason}`).sort();
  t.same(reasons, ['connect full', 'queue queueTimeout']);
  const waited = records.find(({ reason }) => reason === 'queueTimeout')?.durationMs ?? 0;
  t.ok(waited >= 299, `it waited ${waited} ms`);
  await until('nobody has waited for a second', () => told.length === 2);
  t.same(told, ['app queues', 'app queues no more']);
  t.match(balancer.snapshot().upstreams[0]?.queue, { waiting: 0, max: 1 });
});
