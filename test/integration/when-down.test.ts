/** What becomes of the sessions of a backend that goes down: `whenDown`, with a thousand of them. */
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer, type SessionRecord } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend, type Backend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { ownHost } from '../harness/faulty-backend.ts';
import { addressOf } from '../harness/listening-address.ts';
import type { Peer } from '../harness/peer.ts';
import { until } from '../harness/until.ts';

const PLACES = {
  'two workers': { ...DATA_PLANE, workers: 2 },
  'own thread': { engine: 'node', workers: 0 },
} as const;
type Place = keyof typeof PLACES;

const skipWorkers = loadLibc().ok ? false : 'workers need koffi on Linux';
const skipHosts = process.platform === 'linux' ? false : 'an address for each backend takes Linux';
/** Clients that connect at a time. */
const BATCH = 55;

const nameOf = ({ address }: Pick<Backend, 'address'>): string => formatAddress(address);

for (const place of ['two workers', ...Object.keys(OWN_THREAD)] as Place[]) {
  const skip = skipHosts || (place === 'two workers' ? skipWorkers : false);

  void t.test(
    `${place}: whenDown: reset ends the sessions of a backend that goes down, and only those`,
    { skip },
    async t => {
      const { records, clients, doomed, spared, failCheck } = await crowdOnTwo(t, place, 'reset', 1_000);
      const from = performance.now();
      await failCheck();
      await until('its sessions have ended', () => ended(clients) >= doomed.peers.length);
      t.comment(`${doomed.peers.length} sessions reset within ${Math.round(performance.now() - from)} ms`);
      await until('all are reported', () => records.length >= doomed.peers.length);
      const told = records.filter(
        ({ backend, by, phase, reason }) =>
          backend === nameOf(doomed) && by === 'balancer' && phase === 'relay' && reason === 'backendDown',
      );
      t.equal(told.length, doomed.peers.length, 'the records say why');
      t.equal(records.length, told.length, 'and there are no others');
      t.same([...new Set(clients.flatMap(({ ending }) => ending ?? []))], ['reset']);
      const rest = clients.filter(({ ending }) => ending === undefined);
      t.equal(rest.length, spared.peers.length);
      await sayAndHear(rest);
      t.equal(ended(rest), 0, 'the others live');
    },
  );

  void t.test(`${place}: whenDown: keep lets them go on`, { skip }, async t => {
    const { records, clients, doomed, open, failCheck } = await crowdOnTwo(t, place, 'keep', 100);
    await failCheck();
    // Once it gets no new ones, every worker has heard of it.
    for (let before = -1; before !== doomed.peers.length;) {
      before = doomed.peers.length;
      await open();
    }
    await sayAndHear(clients);
    t.equal(ended(clients), 0);
    t.same(records, []);
  });
}

/** Sessions on two backends, `count` or more of them on the first, whose health check can be made to fail. */
async function crowdOnTwo(t: Test, place: Place, whenDown: 'reset' | 'keep', count: number) {
  const [one, two] = [ownHost(200), ownHost(201)];
  const doomed = await startBackend(t, scripts.echo, { kind: 'tcp', host: one, port: 0 });
  const spared = await startBackend(t, scripts.echo, { kind: 'tcp', host: two, port: 0 });
  // Checks go to another port than sessions, so that they can fail alone.
  const check = await startBackend(t, scripts.echo, { kind: 'tcp', host: one, port: 0 });
  const port = check.address.kind === 'tcp' ? check.address.port : 0;
  await startBackend(t, scripts.echo, { kind: 'tcp', host: two, port });
  const balancer = createLoadBalancer({
    ...PLACES[place],
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
    upstreams: [
      {
        name: 'app',
        strategy: 'roundrobin',
        backends: [`${nameOf(doomed)}@10`, nameOf(spared)],
        health: { type: 'tcp', port, interval: 200, rise: 1, fall: 1 },
        whenDown,
      },
    ],
  });
  const records: SessionRecord[] = [];
  balancer.on('session:closed', record => records.push(record));
  t.teardown(() => balancer.stop());
  await balancer.start();
  const address = addressOf(balancer);
  const clients: Peer[] = [];
  const open = async (): Promise<void> => {
    const some = await Promise.all(Array.from({ length: BATCH }, () => connectClient(t, address)));
    clients.push(...some);
    await sayAndHear(some);
  };
  while (doomed.peers.length < count) await open();
  const down = new Promise(resolve => balancer.on('backend:down', resolve));
  const failCheck = async (): Promise<void> => {
    await check.close();
    t.match(await down, { backend: nameOf(doomed) });
    t.match(balancer.snapshot().upstreams[0]?.backends, [{ state: 'down' }, { state: 'up' }]);
  };
  return { records, clients, doomed, spared, open, failCheck };
}

/** All of them say something; resolves when each has heard it again or has ended. */
async function sayAndHear(clients: readonly Peer[]): Promise<void> {
  const before = clients.map(({ receivedBytes }) => receivedBytes);
  await Promise.all(clients.map(client => client.send('x')));
  await until('all have heard it', () =>
    clients.every(({ receivedBytes, ending }, i) => receivedBytes > before[i]! || ending !== undefined),
  );
}

function ended(clients: readonly Peer[]): number {
  return clients.filter(({ ending }) => ending !== undefined).length;
}
