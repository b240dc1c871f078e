/**
 * Source ports that run out, and the addresses that give more of them; and connections from the address of the client.
 * In network namespaces, whose kernel has few ports, and routes of the test's own.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { scripts, startBackend, type Backend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { BACK_HOST, createFaultyNetwork, FRONT_HOST } from '../harness/faulty-network.ts';
import { skipUnlessFull } from '../harness/full-load.ts';
import { LeavingClients } from '../harness/leaving-clients.ts';
import { libc } from '../harness/real-libc.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { sourcePortUse } from '../../src/linux/source-port-use.ts';
import { startLb4, type Lb4Process } from '../harness/lb4-process.ts';
import { NetworkNamespace, skipWithoutNamespaces } from '../harness/network-namespace.ts';
import type { Peer } from '../harness/peer.ts';
import { until } from '../harness/until.ts';
import '../harness/run-once.ts';

const skip = skipWithoutNamespaces('ip');
t.setTimeout(150_000);
const SOURCES = [FRONT_HOST, '198.18.0.3', '198.18.0.4'];
/** Of each source, for each backend. */
const PORTS = 4;

type Upstream = Partial<ConfigInput['upstreams'][number]>;

async function startIn(
  t: Test,
  namespace: NetworkNamespace,
  engine: 'epoll' | 'node',
  backends: readonly Backend[],
  keys: Upstream,
): Promise<Lb4Process> {
  const config: ConfigInput = {
    ...{ engine, workers: 1 },
    listeners: [{ name: 'web', bind: `${FRONT_HOST}:0`, upstream: 'app' }],
    upstreams: [
      {
        ...{ name: 'app', health: 'off', strategy: 'roundrobin' },
        backends: backends.map(({ address }) => formatAddress(address)),
        ...keys,
      },
    ],
  };
  const path = join(t.testdir(), 'lb4.json');
  writeFileSync(path, JSON.stringify(config));
  return await namespace.run(() => startLb4(t, ['-c', path, '--access-log']));
}

const addressOf = ({ host, port }: Lb4Process): TcpAddress => ({ kind: 'tcp', host, port });

for (const engine of ['epoll', 'node'] as const) {
  void t.test(
    `${engine} engine: each source has its ports for each backend, and no one goes unused`,
    { skip },
    async t => {
      const { front, back } = await createFaultyNetwork(t);
      for (const address of SOURCES.slice(1)) await front.ip('addr', 'add', `${address}/24`, 'dev', 'cable');
      const start = (): Promise<Backend> =>
        back.run(() => startBackend(t, scripts.echo, { kind: 'tcp', host: BACK_HOST, port: 0 }));
      const backends = [await start(), await start()];
      const lb4 = await startIn(t, front, engine, backends, { source: SOURCES });
      await front.set('ipv4/ip_local_port_range', `50000 ${50_000 + PORTS - 1}`);
      // A client in the other namespace has ports of its own.
      const sessions: Peer[] = [];
      for (let i = 0; i < SOURCES.length * PORTS * backends.length; i++) {
        const client = await back.run(() => connectClient(t, addressOf(lb4)));
        sessions.push(client);
        await client.send('hello');
        await client.untilText('hello');
      }
      for (const { peers } of backends) {
        const pairs = new Set(peers.map(({ socket }) => `${socket.remoteAddress}:${socket.remotePort}`));
        t.equal(pairs.size, SOURCES.length * PORTS);
      }
      // It may be reset before it knows that it is connected.
      await back.run(() => connectClient(t, addressOf(lb4)).catch(() => undefined));
      t.match(
        (await lb4.line(({ event }) => event === 'connectFailed'))['message'],
        /unreachable \(EADDRNOTAVAIL: this machine has no source port left for it/,
      );
      t.match(await lb4.line(({ event, reason }) => event === 'session' && reason === 'unreachable'), {
        phase: 'connect',
      });
      // The reset gives a port back at once.
      sessions[0]?.reset();
      await until('its backend knows', () =>
        backends.some(({ peers }) => peers.some(({ ending }) => ending !== undefined)),
      );
      const next = await back.run(() => connectClient(t, addressOf(lb4)));
      await next.send('hello');
      await next.untilText('hello');
    },
  );

  void t.test(
    `${engine} engine: a backend sees the address of the client, on another machine`,
    { skip },
    async t => {
      const { front, back } = await createFaultyNetwork(t);
      const outside = await NetworkNamespace.create(`lb4-faults-${process.pid}-outside-${engine}`);
      t.teardown(() => outside.delete());
      const [client, gateway] = ['198.19.0.2', '198.19.0.1'];
      await front.ip('link', 'add', 'door', 'type', 'veth', 'peer', 'name', 'door', 'netns', outside.name);
      await front.ip('addr', 'add', `${gateway}/24`, 'dev', 'door');
      await outside.ip('addr', 'add', `${client}/24`, 'dev', 'door');
      await front.ip('link', 'set', 'door', 'up');
      await outside.ip('link', 'set', 'door', 'up');
      await outside.ip('route', 'add', 'default', 'via', gateway);
      // The backend's answers go through this machine, which takes what comes from there as its own.
      await back.ip('route', 'add', 'default', 'via', FRONT_HOST);
      await front.ip('rule', 'add', 'iif', 'cable', 'lookup', '100');
      await front.ip('route', 'add', 'local', '0.0.0.0/0', 'dev', 'lo', 'table', '100');
      const backend = await back.run(() =>
        startBackend(t, scripts.echo, { kind: 'tcp', host: BACK_HOST, port: 0 }),
      );
      const lb4 = await startIn(t, front, engine, [backend], { source: 'client' });
      const peer = await outside.run(() => connectClient(t, addressOf(lb4)));
      await peer.send('hello');
      await peer.untilText('hello');
      t.equal(backend.peers[0]?.socket.remoteAddress, client);
    },
  );
}

/** Three times as many are enough for a minute of the load, and two times are not. */
const MANY = { first: 24_000, last: 60_999 } as const;
const A_MINUTE = 100_000;

// The engines differ in nothing here, and each takes a minute.
for (const engine of ['epoll'] as const)
  void t.test(
    `${engine} engine: 100,000 connects a minute through three sources to one backend leave ports free`,
    { skip: skip === false ? skipUnlessFull() : skip, timeout: 120_000 },
    async t => {
      const { front, back } = await createFaultyNetwork(t);
      for (const address of SOURCES.slice(1)) await front.ip('addr', 'add', `${address}/24`, 'dev', 'cable');
      await front.set('ipv4/ip_local_port_range', `${MANY.first} ${MANY.last}`);
      await front.set('ipv4/tcp_tw_reuse', '0');
      // Beyond this many the kernel would give up ports that rest.
      await front.set('ipv4/tcp_max_tw_buckets', '1000000');
      const clients = await back.run(() => LeavingClients.start(t, BACK_HOST));
      const path = join(temporaryFolder(t), 'socket');
      const config: ConfigInput = {
        ...{ engine, workers: 1 },
        listeners: [{ name: 'web', bind: `unix:${path}`, upstream: 'app' }],
        upstreams: [
          {
            ...{ name: 'app', health: 'off', source: SOURCES },
            backends: [`${BACK_HOST}:${clients.backendPort}`],
          },
        ],
      };
      const file = join(t.testdir(), 'lb4.json');
      writeFileSync(file, JSON.stringify(config));
      const lb4 = await front.run(() => startLb4(t, ['-c', file]));
      const { served, failed, tookMs } = await clients.run({
        path,
        clients: A_MINUTE,
        ratePerSecond: A_MINUTE / 60,
        withinMs: 70_000,
      });
      t.equal(failed, 0);
      const use = await front.run(async () => sourcePortUse(libc(), [clients.backendPort]));
      const resting = (use ?? []).map(each => each.resting);
      t.comment(`${served} in ${(tookMs / 1000).toFixed(1)} s; ports that rest: ${resting.join(', ')}`);
      t.same(new Set(use?.map(({ from }) => from)), new Set(SOURCES), 'each source has its share');
      // Else the machine was busy with other things.
      if (served === A_MINUTE && tookMs < 62_000) {
        const ports = MANY.last - MANY.first + 1;
        const all = resting.reduce((sum, each) => sum + each, 0);
        t.ok(all > 2 * ports, `two sources would not have sufficed: ${all}`);
        const low = lb4.lines.filter(({ event }) => event === 'sourcePortsLow');
        t.same(new Set(low.map(line => line['from'])), new Set(SOURCES), 'the log has warned of each');
      }
      t.equal(
        lb4.lines.find(({ event }) => event === 'connectFailed'),
        undefined,
      );
    },
  );
