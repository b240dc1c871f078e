/** Limits under pressure, user code that fails, and ends that meet beginnings. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import { formatAddress, parseAddress, type Address } from '../../src/support/address.ts';
import { refusingAddress, scripts, startBackend } from '../harness/backend.ts';
import { DATA_PLANE, ONE_THREAD } from '../harness/data-plane.ts';
import { connectClient } from '../harness/client.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { pause, until } from '../harness/until.ts';

function create(
  t: Test,
  backends: readonly Address[],
  options: {
    listeners?: Partial<ConfigInput['listeners'][number]>[];
    strategy?: string;
    maxSessions?: number;
    dataPlane?: typeof DATA_PLANE;
  } = {},
): LoadBalancer {
  const { listeners = [{}], strategy = 'first', maxSessions, dataPlane = DATA_PLANE } = options;
  const balancer = createLoadBalancer({
    ...dataPlane,
    listeners: listeners.map((listener, i) => ({
      name: `web${i}`,
      bind: '127.0.0.1:0',
      upstream: 'app',
      ...listener,
    })),
    upstreams: [{ name: 'app', strategy, health: 'off', backends: backends.map(formatAddress) }],
    limits: maxSessions === undefined ? {} : { maxSessions },
  });
  t.teardown(() => balancer.stop());
  return balancer;
}

function addresses(balancer: LoadBalancer): Address[] {
  return balancer.snapshot().listeners.map(listener => {
    const parsed = parseAddress(listener.addresses[0] ?? '');
    if (!parsed.ok) throw new Error(parsed.expected);
    return parsed.address;
  });
}

void t.test(
  'when the only backend dies, hundreds of waiting clients are turned away without a word of trouble',
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const balancer = create(t, [backend.address], { listeners: [{ limits: { maxSessions: 1 } }] });
    let closed = 0;
    balancer.on('session:closed', () => (closed += 1));
    await balancer.start();
    const [address] = addresses(balancer) as [Address];
    const first = await connectClient(t, address);
    await first.send('x');
    await first.untilText('x');
    const waiting = await Promise.all(Array.from({ length: 900 }, () => connectClient(t, address)));
    await backend.close();
    first.reset();
    await until('all are turned away', () => waiting.every(client => client.ending === 'reset'));
    await until('all are reported', () => closed >= 901);
    t.equal(closed, 901, 'each had its session');
    t.equal(balancer.snapshot().sessions, 0);
  },
);

void t.test(
  'the instance’s limit holds over two listeners with clients waiting at both, and neither starves',
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const balancer = create(t, [backend.address], { listeners: [{}, {}], maxSessions: 2 });
    let most = 0;
    const served = new Map<string, number>();
    balancer.on('session:closed', ({ listener }) => served.set(listener, (served.get(listener) ?? 0) + 1));
    await balancer.start();
    const fronts = addresses(balancer);
    const watch = setInterval(() => (most = Math.max(most, balancer.snapshot().sessions)), 1);
    t.teardown(() => clearInterval(watch));
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const client = await connectClient(t, fronts[i % 2]!);
        await client.send('ping');
        await client.untilText('ping');
        most = Math.max(most, balancer.snapshot().sessions);
        client.halfClose();
        await client.untilEnded();
      }),
    );
    t.ok(most <= 2, `at most 2 at once: ${most}`);
    await until('all are closed', () => balancer.snapshot().sessions === 0);
    // A worker's counts are known at once, its events a turn later.
    await until('every end is told', () => [...served.values()].reduce((sum, each) => sum + each, 0) === 40);
    t.same([...served.values()], [20, 20]);
  },
);

void t.test('a client that comes after a long quiet is given its whole idle time', async t => {
  const backend = await startBackend(t, scripts.echo);
  const balancer = create(t, [backend.address], { listeners: [{ timeouts: { idle: 700 } }] });
  await balancer.start();
  const [address] = addresses(balancer) as [Address];
  const early = await connectClient(t, address);
  early.halfClose();
  await early.untilEnded();
  await until('it is quiet', () => balancer.snapshot().sessions === 0);
  // Longer than the idle time, in which a clock that is read only when something happens stands still.
  await pause(900);
  const late = await connectClient(t, address);
  const sinceMs = performance.now();
  t.equal(await late.untilEnded(), 'reset');
  const heldMs = performance.now() - sinceMs;
  t.ok(heldMs >= 600, `it was there for ${heldMs.toFixed(0)} of 700 ms`);
});

void t.test('an event listener that throws is reported and breaks no bookkeeping', async t => {
  const backend = await startBackend(t, scripts.echo);
  const balancer = create(t, [backend.address], { listeners: [{ limits: { maxSessions: 1 } }] });
  const thrown: unknown[] = [];
  const keep = (error: unknown): void => void thrown.push(error);
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', keep);
  t.teardown(() => {
    process.off('uncaughtException', keep);
    for (const other of others) process.on('uncaughtException', other);
  });
  balancer.on('session:closed', () => {
    throw new Error('mine');
  });
  await balancer.start();
  const [address] = addresses(balancer) as [Address];
  for (let i = 0; i < 3; i++) {
    const client = await connectClient(t, address);
    await client.send('x');
    await client.untilText('x');
    client.halfClose();
    await client.untilEnded();
  }
  await until('three errors are reported', () => thrown.length === 3);
  t.match(thrown, [/mine/, /mine/, /mine/]);
  await until('the listener goes on', () => balancer.snapshot().listeners[0]?.paused === false);
});

void t.test('a strategy that begins to throw is replaced by chance, and named', async t => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'faulty.mjs');
  writeFileSync(
    path,
    `export function createStrategy(candidates) {
       let picks = 0;
       return { pick({ skip }) {
         if (skip?.(candidates[0])) return undefined;
         picks += 1;
         if (picks > 2) throw new Error('lost count');
         return candidates[0];
       } };
     }`,
  );
  const backend = await startBackend(t, scripts.echo);
  const balancer = create(t, [backend.address], { strategy: path, dataPlane: ONE_THREAD });
  const failures: string[] = [];
  balancer.on('strategy:failed', ({ upstream, reason }) => failures.push(`${upstream}: ${reason}`));
  await balancer.start();
  const [address] = addresses(balancer) as [Address];
  for (let i = 0; i < 4; i++) {
    const client = await connectClient(t, address);
    await client.send('served');
    await client.untilText('served');
    client.halfClose();
    await client.untilEnded();
  }
  await until('both failures are reported', () => failures.length >= 2);
  t.same(failures, ['app: lost count', 'app: lost count']);
});

void t.test('stopping during the start leaves nothing bound and the start rejected', async t => {
  const balancer = create(t, [await refusingAddress()]);
  const listening: string[] = [];
  balancer.on('listener:listening', ({ address }) => listening.push(address));
  const started = balancer.start();
  await Promise.all([balancer.stop(), t.rejects(started, { code: 'LB4_WRONG_STATE' })]);
  t.equal(balancer.state, 'stopped');
  t.same(balancer.snapshot().listeners[0]?.addresses ?? [], []);
  t.same(listening, []);
});

void t.test('stopping during a drain ends at once, however many clients keep coming', async t => {
  const backend = await startBackend(t);
  const balancer = create(t, [backend.address]);
  await balancer.start();
  const [address] = addresses(balancer) as [Address];
  const client = await connectClient(t, address);
  await backend.next();
  let over = false;
  const coming = Promise.all(
    Array.from({ length: 20 }, async () => {
      while (!over) await connectClient(t, address).catch(() => undefined);
    }),
  );
  const drained = balancer.drain(Infinity);
  await new Promise(resolve => setImmediate(resolve));
  await balancer.stop();
  await drained;
  over = true;
  await coming;
  t.equal(await client.untilEnded(), 'reset');
  t.equal(balancer.snapshot().sessions, 0);
});

void t.test('a drain’s time must be a number; Infinity waits for as long as it takes', async t => {
  const backend = await startBackend(t, scripts.echo);
  const balancer = create(t, [backend.address]);
  await balancer.start();
  await t.rejects(balancer.drain(NaN), RangeError);
  await t.rejects(balancer.drain(-1), RangeError);
  const [address] = addresses(balancer) as [Address];
  const client = await connectClient(t, address);
  await client.send('x');
  await client.untilText('x');
  const drained = balancer.drain(Infinity);
  await client.send('y');
  await client.untilText('xy');
  client.halfClose();
  await drained;
  t.equal(await client.untilEnded(), 'fin');
});
