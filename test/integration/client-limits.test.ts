/** Limits of clients and of a listener's rate, with real traffic: over each engine, with and without workers. */
import { connect } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { createLoadBalancer, type EventMap, type LoadBalancer } from '../../src/index.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend, type Backend } from '../harness/backend.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import { Peer } from '../harness/peer.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

type Listener = ConfigInput['listeners'][number];

const hasWorkers = loadLibc().ok;

function configOf(
  backend: Backend,
  workers: number,
  listener: Partial<Listener>,
  upstream: Partial<ConfigInput['upstreams'][number]> = {},
): ConfigInput {
  return {
    ...(workers === 0 ? {} : DATA_PLANE),
    workers,
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app', ...listener }],
    upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)], ...upstream }],
  };
}

async function start(t: Test, config: ConfigInput) {
  const balancer = createLoadBalancer(config);
  const refused: EventMap['listener:refused'][] = [];
  balancer.on('listener:refused', event => refused.push(event));
  t.teardown(() => balancer.stop());
  await balancer.start();
  return { balancer, refused };
}

/** A client from an address of the loopback network: served, or reset. */
async function come(
  t: Test,
  balancer: LoadBalancer,
  localAddress: string,
  first = 'x',
): Promise<Peer | 'reset'> {
  const { host, port } = addressOf(balancer);
  const socket = connect({ host, port, localAddress, allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  const peer = new Peer(socket);
  socket.write(first);
  await until(
    'it has an answer or is reset',
    () => peer.text !== '' || peer.closed || peer.ending !== undefined,
  );
  return peer.text === '' ? 'reset' : peer;
}

const isServed = (answer: Peer | 'reset'): boolean => answer !== 'reset';

async function leave(balancer: LoadBalancer, ...peers: (Peer | 'reset')[]): Promise<void> {
  const before = balancer.snapshot().sessions;
  for (const peer of peers) if (peer !== 'reset') peer.reset();
  await until('their sessions have ended', () => balancer.snapshot().sessions === before - peers.length);
}

for (const workers of [0, 1, 2]) {
  const skip = workers > 0 && !hasWorkers && 'workers need koffi on Linux';
  const words = `${workers} workers`;

  void t.test(`each client has so many sessions, also after reloads: ${words}`, { skip }, async t => {
    const backend = await startBackend(t, scripts.echo);
    const withLimit = (sessions: number): ConfigInput =>
      configOf(backend, workers, {
        limits: { perClient: { sessions }, perNetwork: { sessions: 5 } },
      });
    const { balancer, refused } = await start(t, withLimit(3));
    const from = (address: string) => come(t, balancer, address);
    const one = await Promise.all([1, 2, 3].map(() => from('127.1.0.1')));
    t.ok(one.every(isServed));
    t.equal(await from('127.1.0.1'), 'reset');
    t.ok(isServed(await from('127.2.0.1')), 'another client is served');
    t.equal(balancer.snapshot().sessionsEver, 4, 'one that was reset never was a session');
    await until('it is reported', () => refused.length > 0);
    t.match(refused, [
      { listener: 'web', reason: 'clientSessions', clientAddress: '127.1.0.1', dryRun: false },
    ]);

    await balancer.apply(withLimit(2));
    t.equal(balancer.snapshot().sessions, 4, 'a lower limit ends no session');
    const [first = 'reset', second = 'reset', third = 'reset'] = one;
    await leave(balancer, first);
    t.equal(await from('127.1.0.1'), 'reset', 'two are as many as it may have now');
    await leave(balancer, second);
    const again = await from('127.1.0.1');
    t.ok(isServed(again));

    const neighbours = await Promise.all(['127.1.0.2', '127.1.0.2', '127.1.0.3'].map(from));
    t.ok(neighbours.every(isServed), 'there are five in its network');
    t.equal(await from('127.1.0.4'), 'reset');
    await leave(balancer, third, again, ...neighbours);
    t.ok(isServed(await from('127.1.0.4')));
  });

  void t.test(`each client comes as fast as its rate: ${words}`, { skip }, async t => {
    const backend = await startBackend(t, scripts.echo);
    const limits = { perClient: { rate: '1/h', burst: 4 } };
    const { balancer } = await start(t, configOf(backend, workers, { limits }));
    const answers: boolean[] = [];
    for (let i = 0; i < 6; i++) {
      const answer = await come(t, balancer, '127.1.0.1');
      answers.push(isServed(answer));
      if (isServed(answer)) await leave(balancer, answer);
    }
    t.same(answers, [true, true, true, true, false, false]);
    t.ok(isServed(await come(t, balancer, '127.1.0.2')));
  });

  void t.test(
    `beyond the rate of a listener clients wait, and are all served: ${words}`,
    { skip },
    async t => {
      const backend = await startBackend(t, scripts.echo);
      const limits = { rate: '100/s', burst: 10 };
      const { balancer } = await start(t, configOf(backend, workers, { limits }));
      const paused: unknown[] = [];
      balancer.on('listener:paused', ({ reason }) => paused.push(reason));
      const began = performance.now();
      const answers = await Promise.all(Array.from({ length: 40 }, () => come(t, balancer, '127.0.0.1')));
      const tookMs = performance.now() - began;
      t.ok(answers.every(isServed));
      t.ok(tookMs >= 300, `30 of them have waited for tokens: ${Math.round(tookMs)} ms`);
      t.ok(paused.length > 0 && paused.every(reason => reason === 'listenerRate'));
    },
  );

  void t.test(`a dry run lets all in, and says what it would have done: ${words}`, { skip }, async t => {
    const backend = await startBackend(t, scripts.echo);
    const limits = { rate: '1/h', burst: 4, perClient: { sessions: 2 } };
    const { balancer, refused } = await start(t, configOf(backend, workers, { limits, dryRun: true }));
    for (let i = 0; i < 3; i++) t.ok(isServed(await come(t, balancer, '127.1.0.1')));
    for (let i = 0; i < 3; i++) t.ok(isServed(await come(t, balancer, `127.2.0.${i}`)));
    await until('both are reported', () => new Set(refused.map(({ reason }) => reason)).size === 2);
    t.same([...new Set(refused.map(({ reason, dryRun }) => `${reason} ${dryRun}`))].toSorted(), [
      'clientSessions true',
      'listenerRate true',
    ]);
    await balancer.apply(configOf(backend, workers, { limits }));
    t.equal(
      await come(t, balancer, '127.1.0.1'),
      'reset',
      'and what it has counted holds when it is in earnest',
    );
  });

  void t.test(`behind a proxy each client is counted by itself: ${words}`, { skip }, async t => {
    const backend = await startBackend(t, scripts.echo);
    const { balancer } = await start(
      t,
      configOf(backend, workers, {
        limits: { perClient: { sessions: 1 } },
        acceptProxy: { from: ['127.0.0.1'] },
      }),
    );
    const records: string[] = [];
    balancer.on('session:closed', ({ reason, clientAddress }) => records.push(`${reason} ${clientAddress}`));
    const from = (address: string) =>
      come(t, balancer, '127.0.0.1', `PROXY TCP4 ${address} 192.0.2.99 4000 80\r\nx`);
    const first = await from('192.0.2.1');
    t.ok(isServed(first));
    t.ok(isServed(await from('192.0.2.2')));
    t.equal(await from('192.0.2.1'), 'reset');
    await until('it is recorded', () => records.length === 1);
    t.same(records, ['clientSessions 192.0.2.1']);
    await leave(balancer, first);
    t.ok(isServed(await from('192.0.2.1')));
  });
}

void t.test(
  'the sessions of a worker that has died are given back to their clients',
  { skip: !hasWorkers && 'workers need koffi on Linux' },
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const strategy = join(temporaryFolder(t), 'deadly.mjs');
    writeFileSync(
      strategy,
      `export function createStrategy(candidates) {
         return { pick({ clientAddress, skip }) {
           if (clientAddress === '127.66.0.6') process.exit(7);
           return candidates.find(candidate => !skip?.(candidate));
         } };
       }`,
    );
    const limits = { perClient: { sessions: 2 } };
    const { balancer } = await start(t, configOf(backend, 1, { limits }, { strategy }));
    const restarted = new Promise(resolve => balancer.on('worker:restarted', resolve));
    const both = await Promise.all([1, 2].map(() => come(t, balancer, '127.1.0.1')));
    t.ok(both.every(isServed));
    t.equal(await come(t, balancer, '127.1.0.1'), 'reset');
    t.equal(await come(t, balancer, '127.66.0.6'), 'reset', 'the worker has died of it');
    await restarted;
    const again = await Promise.all([1, 2].map(() => come(t, balancer, '127.1.0.1')));
    t.ok(again.every(isServed));
    t.equal(await come(t, balancer, '127.1.0.1'), 'reset');
  },
);
