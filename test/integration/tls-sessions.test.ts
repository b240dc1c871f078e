/** TLS of whole balancers, over workers and engines: it ends here, begins here, or both; a drain and a stop end it. */
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { COUNTERS } from '../../src/model/counter-view.ts';
import { createLoadBalancer, type ConfigInput, type SessionRecord } from '../../src/index.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { addressOf } from '../harness/listening-address.ts';
import { createAuthority, withoutOpenssl } from '../harness/tls-authority.ts';
import { connectTlsClient, startTlsBackend } from '../harness/tls-peer.ts';
import { until } from '../harness/until.ts';

type Listener = Partial<ConfigInput['listeners'][number]>;
type Upstream = Partial<ConfigInput['upstreams'][number]>;

const libc = loadLibc();
const PLACES = [
  ['epoll', 1],
  ['epoll', 2],
  ['node', 2],
  ['node', 0],
] as const;

const authority = withoutOpenssl === false ? createAuthority(t) : undefined;
const server = authority?.issue('lb4', 'DNS:shop.test,DNS:other.test,IP:127.0.0.1');
const folder = authority?.folder ?? '';
const OWN = { cert: join(folder, '1.pem'), key: join(folder, '1.key') };
const CA = join(folder, 'ca.pem');

for (const [engine, workers] of PLACES) {
  const skip = (workers > 0 && !libc.ok && libc.reason) || withoutOpenssl;
  const start = async (
    t: Test,
    backends: readonly Address[],
    listener: Listener,
    upstream: Upstream = {},
  ) => {
    const balancer = createLoadBalancer({
      ...{ engine, workers, drainTimeout: '1h' },
      listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app', ...listener }],
      upstreams: [{ name: 'app', health: 'off', backends: backends.map(formatAddress), ...upstream }],
    });
    t.teardown(() => balancer.stop());
    const records: SessionRecord[] = [];
    balancer.on('session:closed', record => records.push(record));
    await balancer.start();
    const counts = () => balancer.counters()?.listeners[0]?.counts;
    return { balancer, records, counts, address: addressOf(balancer) };
  };

  void t.test(`${engine} engine, ${workers} workers`, { skip }, t => {
    void t.test('TLS that ends here and begins anew: each byte once, and one record', async t => {
      const backend = await startTlsBackend(t, {
        ...{ cert: server?.chain, key: server?.key, ALPNProtocols: ['h2'] },
      });
      const { address, records, counts } = await start(
        t,
        [backend.address],
        { tls: { ...OWN, alpn: ['h2', 'http/1.1'] } },
        { tls: { ca: CA } },
      );
      const options = { ca: authority?.ca, rejectUnauthorized: true, servername: 'shop.test' };
      const client = await connectTlsClient(t, address, { ...options, ALPNProtocols: ['h2'] });
      await client.send('x'.repeat(300_000));
      const peer = await backend.next();
      await peer.untilBytes(300_000);
      t.equal(peer.tls.alpnProtocol, 'h2', 'what the client has agreed on');
      await peer.send('answer');
      await client.untilText('answer');
      client.halfClose();
      t.equal(await peer.untilEnded(), 'close_notify');
      peer.halfClose();
      t.equal(await client.untilEnded(), 'close_notify');
      await until('it is recorded', () => records.length > 0);
      t.match(records, [
        {
          ...{ reason: 'closed', bytesFromClient: 300_000, bytesFromBackend: 6, serverName: 'shop.test' },
          ...{ tlsVersion: 'TLSv1.3', alpn: 'h2' },
        },
      ]);
      t.same([records.length, counts()?.total(COUNTERS.listener.handshakes)], [1, 1]);
    });

    void t.test('clients are told apart by the names that they ask for', async t => {
      const backends = await Promise.all([1, 2, 3].map(() => startBackend(t, scripts.echo)));
      const { address, records } = await start(
        t,
        backends.map(({ address }) => address),
        { tls: OWN },
        { strategy: 'iphash', hashBy: 'sni' },
      );
      for (const servername of ['shop.test', 'shop.test', 'other.test', 'shop.test', 'other.test']) {
        const client = await connectTlsClient(t, address, { servername });
        await client.send('!');
        await client.untilText('!');
        client.reset();
      }
      await until('all are recorded', () => records.length === 5);
      for (const name of ['shop.test', 'other.test']) {
        const served = records.filter(({ serverName }) => serverName === name).map(({ backend }) => backend);
        t.equal(new Set(served).size, 1, `${name} has one backend`);
      }
    });

    void t.test('a drain waits for sessions in TLS, and a stop ends the rest, once each', async t => {
      const backend = await startBackend(t, scripts.echo);
      const { balancer, address, records, counts } = await start(t, [backend.address], { tls: OWN });
      const ends = await connectTlsClient(t, address);
      const stays = await connectTlsClient(t, address);
      for (const client of [ends, stays]) {
        await client.send('here');
        await client.untilText('here');
      }
      const silent = connectTcp(address);
      silent.on('error', () => undefined);
      t.teardown(() => silent.destroy());
      const phases = async () => (await balancer.sessions()).map(({ phase }) => phase);
      await until('it waits', async () => (await phases()).includes('admission'));
      const drained = balancer.drain();
      await ends.send(' still');
      await ends.untilText('here still');
      ends.halfClose();
      t.equal(await ends.untilEnded(), 'close_notify');
      await until('it is recorded', () => records.length === 1);
      await balancer.stop();
      await drained;
      t.equal(await stays.untilEnded(), 'reset');
      t.match(
        records.map(({ reason }) => reason),
        ['closed', 'stopped', 'stopped'],
      );
      t.equal(records.length, 3);
      t.equal(counts()?.total(COUNTERS.listener.handshakeFailures) ?? 0, 0);
    });

    void t.test(
      'a client without TLS is refused; beside it TLS to backends needs none of clients',
      async t => {
        const tlsBackend = await startTlsBackend(t, { cert: server?.chain, key: server?.key });
        const { address, records } = await start(t, [tlsBackend.address], {}, { tls: { ca: CA } });
        const plain = await connectClient(t, address);
        await plain.send('plain');
        const peer = await tlsBackend.next();
        await peer.untilText('plain');
        await peer.send('secret');
        await plain.untilText('secret');
        plain.reset();
        t.equal(await peer.untilEnded(), 'reset');
        const backend = await startBackend(t, scripts.echo);
        const other = await start(t, [backend.address], { tls: OWN });
        const refused = await connectClient(t, other.address);
        await refused.send('GET / HTTP/1.1\r\n\r\n');
        await refused.untilEnded();
        await until('both are recorded', () => records.length + other.records.length === 2);
        t.match(other.records, [{ phase: 'admission', reason: 'badHandshake' }]);
        t.equal(backend.peers.length, 0);
      },
    );
    t.end();
  });
}
