/** What a configuration asks for sockets, read back from the kernel, over whole balancers of both engines. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';

import { createLoadBalancer, type ConfigInput, type LoadBalancer } from '../../src/index.ts';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { kernelSocket, optionsOf } from '../harness/kernel-sockets.ts';
import { addressOf } from '../harness/listening-address.ts';
import { Peer } from '../harness/peer.ts';
import { libc, withoutLibc } from '../harness/real-libc.ts';
import { openSocket } from '../../src/engine/node/open-socket.ts';
import '../harness/run-once.ts';

type ListenKeys = Partial<ConfigInput['listeners'][number]>;
type ConnectKeys = Partial<ConfigInput['upstreams'][number]>;

const LISTEN: ListenKeys = {
  ...{ noDelay: false, backlog: 7, sendBuffer: '64KiB', receiveBuffer: '32KiB' },
  ...{ dscp: 'EF', interface: 'lo', userTimeout: '12s' },
};
const CONNECT: ConnectKeys = {
  ...{ noDelay: false, sendBuffer: '48KiB', receiveBuffer: '16KiB' },
  ...{ dscp: 'AF41', interface: 'lo', userTimeout: '13s' },
};
const NO_BUFFERS = { bufferLocks: 0 };
const NOT_MARKED = { tos: 0, trafficClass: 0, interface: '' };

/** Where a client's connection, lb4's own ends of a session and the listening socket are. */
interface Ends {
  readonly listening: ReturnType<typeof optionsOf>;
  readonly toClient: ReturnType<typeof optionsOf>;
  readonly toBackend: ReturnType<typeof optionsOf>;
}

interface Scene {
  readonly balancer: LoadBalancer;
  readonly configure: (listen: ListenKeys, connect: ConnectKeys) => Promise<void>;
  /** Of a session that begins now, after bytes have gone both ways twice. */
  readonly session: () => Promise<Ends>;
}

async function scene(t: Test, place: Partial<ConfigInput>, host = '127.0.0.1'): Promise<Scene> {
  const backend = await startBackend(t, scripts.echo, { kind: 'tcp', host, port: 0 });
  const backendPort = (backend.address as TcpAddress).port;
  // Not port 0: that would be another port for each configuration in which the socket is another one.
  const reserved = await startBackend(t, scripts.echo, { kind: 'tcp', host, port: 0 });
  await reserved.close();
  const bind = formatAddress(reserved.address);
  const config = (listen: ListenKeys, connect: ConnectKeys): ConfigInput => ({
    ...place,
    listeners: [{ name: 'web', bind, upstream: 'app', ...listen }],
    upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)], ...connect }],
  });
  let balancer: LoadBalancer | undefined;
  return {
    get balancer() {
      if (balancer === undefined) throw new Error('not configured');
      return balancer;
    },
    configure: async (listen, connect) => {
      if (balancer !== undefined) {
        await balancer.apply(config(listen, connect));
        return;
      }
      balancer = createLoadBalancer(config(listen, connect));
      t.teardown(() => balancer?.stop());
      await balancer.start();
    },
    session: async () => {
      if (balancer === undefined) throw new Error('not configured');
      const address = addressOf(balancer);
      const client = await connectClient(t, address);
      for (const text of ['one', 'onetwo']) {
        await client.send(text.slice(-3));
        await client.untilText(text);
      }
      const clientPort = client.socket.localPort ?? -1;
      const port = address.port;
      const ends = {
        listening: optionsOf(kernelSocket({ listens: true, localPort: port })),
        toClient: optionsOf(kernelSocket({ listens: false, localPort: port, peerPort: clientPort })),
        toBackend: optionsOf(kernelSocket({ listens: false, peerPort: backendPort })),
      };
      client.halfClose();
      await client.untilEnded();
      return ends;
    },
  };
}

const places = {
  'epoll engine': { engine: 'epoll', workers: 1 },
  'node engine, a worker': { engine: 'node', workers: 1 },
  'node engine, own thread': { engine: 'node', workers: 0 },
} as const;

for (const [place, dataPlane] of Object.entries(places)) {
  const test = (name: string, run: (t: Test) => Promise<void>) =>
    t.test(`${place}: ${name}`, { skip: withoutLibc }, run);

  void test('what is asked for is set on both sides of a session', async t => {
    const { configure, session } = await scene(t, dataPlane);
    await configure(LISTEN, CONNECT);
    const { listening, toClient, toBackend } = await session();
    const buffers = { sendBuffer: 128 * 1024, receiveBuffer: 64 * 1024, bufferLocks: 3 };
    const clients = { ...buffers, tos: 46 << 2, interface: 'lo', userTimeout: 12_000, noDelay: 0 };
    t.match(listening, { ...clients, backlog: 7 });
    t.match(toClient, clients);
    t.match(toBackend, {
      ...{ sendBuffer: 96 * 1024, receiveBuffer: 32 * 1024, bufferLocks: 3 },
      ...{ tos: 34 << 2, interface: 'lo', userTimeout: 13_000, noDelay: 0 },
    });
  });

  void test('without them nothing is set, and small writes leave at once', async t => {
    const { configure, session } = await scene(t, dataPlane);
    await configure({}, {});
    const { listening, toClient, toBackend } = await session();
    const none = { ...NO_BUFFERS, ...NOT_MARKED, protocol: 'TCP', userTimeout: 0, noDelay: 1 };
    t.match(toClient, none);
    t.match(toBackend, none);
    const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
    t.match(listening, { ...none, backlog: most, fastOpen: 0, freebind: 0 });
  });

  void test('a new configuration reaches sockets that listen already, and goes from them again', async t => {
    const { configure, session } = await scene(t, dataPlane);
    await configure({}, {});
    const before = await session();
    await configure(
      { ...LISTEN, interface: undefined, dscp: 10 },
      { ...CONNECT, interface: undefined, dscp: 12 },
    );
    const during = await session();
    t.match(during.listening, { backlog: 7, noDelay: 0, tos: 40, bufferLocks: 3 });
    t.match(during.toClient, { sendBuffer: 128 * 1024, noDelay: 0, tos: 40, userTimeout: 12_000 });
    t.match(during.toBackend, { sendBuffer: 96 * 1024, noDelay: 0, tos: 48, userTimeout: 13_000 });
    await configure({}, {});
    const after = await session();
    t.match(after.listening, { ...NO_BUFFERS, ...NOT_MARKED, backlog: before.listening.backlog, noDelay: 1 });
    t.equal(after.listening.receiveBuffer, before.listening.receiveBuffer);
    t.match(after.toClient, { ...NO_BUFFERS, ...NOT_MARKED, userTimeout: 0, noDelay: 1 });
    t.match(after.toBackend, { ...NO_BUFFERS, ...NOT_MARKED, userTimeout: 0, noDelay: 1 });
  });

  // What follows does not depend on where the engine runs.
  if (place === 'node engine, a worker') continue;

  void test('another interface is another socket, at the same address', async t => {
    const { configure, session } = await scene(t, dataPlane);
    await configure({}, {});
    t.equal((await session()).listening.interface, '');
    await configure({ interface: 'lo' }, {});
    const bound = await session();
    t.equal(bound.listening.interface, 'lo');
    t.equal(bound.toClient.interface, 'lo');
    await configure({}, {});
    t.equal((await session()).listening.interface, '');
  });

  void test('IPv6 has its traffic class', async t => {
    const { configure, session } = await scene(t, dataPlane, '::1');
    await configure({ dscp: 46 }, { dscp: 'af41' });
    const { toClient, toBackend } = await session();
    t.equal(toClient.trafficClass, 46 << 2);
    t.equal(toBackend.trafficClass, 34 << 2);
  });

  void test('an IPv4 client of a socket for both families is marked, too', async t => {
    const { configure, session } = await scene(t, dataPlane);
    await configure({ bind: ':0', dscp: 46 }, {});
    t.equal((await session()).toClient.tos, 46 << 2);
  });

  void test('an address that no interface has can be bound, where that is asked for', async t => {
    const { balancer, configure } = await scene(t, dataPlane).then(async scene => {
      await scene.configure({ bind: '198.18.99.1:0', freebind: true }, {});
      return scene;
    });
    t.match(balancer.snapshot().listeners[0]?.addresses, [/^198\.18\.99\.1:\d+$/]);
    await t.rejects(configure({ bind: '198.18.99.1:0', name: 'other' }, {}), {
      code: 'LB4_LISTEN_FAILED',
      message: /198\.18\.99\.1:0: EADDRNOTAVAIL, no interface of this machine has this address/,
    });
  });

  void test('MPTCP is spoken with those that have it, and TCP with all others', async t => {
    const { configure, session } = await scene(t, dataPlane);
    await configure({ mptcp: true }, { mptcp: true });
    const { listening, toClient, toBackend } = await session();
    t.equal(listening.protocol, 'MPTCP');
    t.equal(toClient.protocol, 'TCP', 'the client does not speak it');
    t.equal(toBackend.protocol, 'MPTCP', 'the socket could');
    await configure({}, {});
    const after = await session();
    t.equal(after.listening.protocol, 'TCP');
    t.equal(after.toBackend.protocol, 'TCP');
  });

  void test('sessions over MPTCP on both sides lose nothing, and end as they should', async t => {
    const backend = await startBackend(t, scripts.echo);
    const reserved = await startBackend(t);
    await reserved.close();
    const inner = formatAddress(reserved.address);
    const balancer = createLoadBalancer({
      ...dataPlane,
      listeners: [
        { name: 'outer', bind: '127.0.0.1:0', upstream: 'inner', mptcp: true },
        { name: 'inner', bind: inner, upstream: 'app', mptcp: true },
      ],
      upstreams: [
        { name: 'inner', health: 'off', backends: [inner], mptcp: true },
        { name: 'app', health: 'off', backends: [formatAddress(backend.address)] },
      ],
    });
    t.teardown(() => balancer.stop());
    await balancer.start();
    const mptcpClient = async (): Promise<Peer> => {
      const socket = openSocket(
        addressOf(balancer),
        libc(),
        { allowHalfOpen: true },
        { early: { mptcp: true } },
      );
      t.teardown(() => socket.destroy());
      await once(socket, 'connect');
      return new Peer(socket);
    };

    const client = await mptcpClient();
    const bytes = randomBytes(4 * 1024 * 1024);
    const sent = client.send(bytes);
    await client.untilBytes(bytes.length);
    await sent;
    const innerPort = (reserved.address as TcpAddress).port;
    const port = addressOf(balancer).port;
    const protocol = (of: Parameters<typeof kernelSocket>[0]): string =>
      optionsOf(kernelSocket({ listens: false, ...of })).protocol;
    t.equal(protocol({ localPort: port }), 'MPTCP', 'the client');
    t.equal(protocol({ localPort: innerPort }), 'MPTCP', 'what connects to a backend');
    client.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    t.equal(client.checksum(), createHash('sha256').update(bytes).digest('hex'));

    const rude = await mptcpClient();
    await rude.send('hello');
    await rude.untilText('hello');
    const [peer] = backend.peers.slice(-1);
    rude.reset();
    t.equal(await peer?.untilEnded(), 'reset');
  });
}

for (const [place, dataPlane] of Object.entries(places))
  void t.test(`${place}: a range of ports is served on each of them, and can grow`, async t => {
    const backend = await startBackend(t, scripts.echo);
    const [first] = await freeRange(t, 4);
    const config = (last: number): ConfigInput => ({
      ...dataPlane,
      listeners: [{ name: 'web', bind: `127.0.0.1:${first}-${last}`, upstream: 'app' }],
      upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)] }],
    });
    const balancer = createLoadBalancer(config(first + 2));
    t.teardown(() => balancer.stop());
    await balancer.start();
    const served = async (port: number): Promise<void> => {
      const client = await connectClient(t, { kind: 'tcp', host: '127.0.0.1', port });
      await client.send('hello');
      await client.untilText('hello');
    };
    for (let i = 0; i < 3; i++) await served(first + i);
    await t.rejects(served(first + 3), { code: 'ECONNREFUSED' });
    await balancer.apply(config(first + 3));
    await served(first + 3);
    await balancer.apply(config(first));
    await served(first);
    await t.rejects(served(first + 1), { code: 'ECONNREFUSED' });
  });

/** The first of some free ports that follow each other. */
async function freeRange(t: Test, count: number): Promise<readonly [number]> {
  for (;;) {
    const one = await startBackend(t);
    const { port } = one.address as TcpAddress;
    await one.close();
    const rest = Array.from({ length: count }, (_, i) => port + i);
    const held = await Promise.allSettled(
      rest.map(port => startBackend(t, undefined, { kind: 'tcp', host: '127.0.0.1', port })),
    );
    for (const each of held) if (each.status === 'fulfilled') await each.value.close();
    if (port + count < 65_536 && held.every(({ status }) => status === 'fulfilled')) return [port];
  }
}
