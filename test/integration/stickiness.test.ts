/** Clients that come back to their backend, with real traffic and over all workers. */
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { startBackend, type Backend } from '../harness/backend.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';

/** Which backend answers a client with this address of its own. */
async function backendOf(balancer: LoadBalancer, localAddress: string): Promise<string> {
  const { host, port } = addressOf(balancer);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, localAddress });
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

async function start(t: Test, max: number) {
  const names = ['a', 'b', 'c'];
  const backends: Backend[] = [];
  for (const name of names) backends.push(await startBackend(t, peer => peer.socket.end(name)));
  const balancer = createLoadBalancer({
    ...DATA_PLANE,
    workers: loadLibc().ok ? 2 : 0,
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
    upstreams: [
      {
        name: 'app',
        strategy: 'roundrobin',
        health: 'off',
        ejection: 'off',
        backends: backends.map(({ address }) => formatAddress(address)),
        sticky: { max },
      },
    ],
  });
  t.teardown(() => balancer.stop());
  await balancer.start();
  return { balancer, backends, names };
}

const addresses = Array.from({ length: 12 }, (_, i) => `127.0.1.${i + 1}`);

void t.test('every client comes back to its backend, whichever worker serves it', async t => {
  const { balancer } = await start(t, 100);
  const first = new Map<string, string>();
  for (const address of addresses) first.set(address, await backendOf(balancer, address));
  t.ok(new Set(first.values()).size > 1, 'the strategy has spread them');
  for (let round = 0; round < 5; round++) {
    for (const address of addresses) t.equal(await backendOf(balancer, address), first.get(address));
  }
  const { workers } = balancer.snapshot();
  t.ok(
    workers.every(({ sessionsEver }) => sessionsEver > 0),
    'all workers had a part in it',
  );
});

void t.test('while its backend cannot be had a client gets another one, and then its own again', async t => {
  const { balancer, backends, names } = await start(t, 100);
  const [address = ''] = addresses;
  const own = await backendOf(balancer, address);
  const index = names.indexOf(own);
  const backend = backends[index];
  if (backend === undefined) throw new Error(`no backend is called ${own}`);
  await backend.close();
  for (let i = 0; i < 4; i++) t.not(await backendOf(balancer, address), own);
  await startBackend(t, peer => peer.socket.end(own), backend.address);
  for (let i = 0; i < 4; i++) t.equal(await backendOf(balancer, address), own);
});

void t.test('beyond `max` the client that came longest ago is forgotten', async t => {
  const { balancer } = await start(t, 2);
  const [one = '', two = '', three = ''] = addresses;
  const first = await backendOf(balancer, one);
  const second = await backendOf(balancer, two);
  // Keeps `one` in mind: it is `two` that came longest ago when `three` comes.
  t.equal(await backendOf(balancer, one), first);
  await backendOf(balancer, three);
  for (let i = 0; i < 4; i++) t.equal(await backendOf(balancer, one), first);
  const again = new Set<string>();
  for (let i = 0; i < 12 && again.size < 2; i++) {
    // Each time others push it out again; three of them, so that a ring of three does not come round with it.
    again.add(await backendOf(balancer, two));
    for (const other of addresses.slice(4, 7)) await backendOf(balancer, other);
  }
  t.ok(
    again.size > 1,
    `${two}, once at ${second}, goes where the strategy sends it: ${[...again].join(', ')}`,
  );
});
