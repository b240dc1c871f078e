/** `sendProxy`: every connection to a backend begins with one header that names the client, and checks do, too. */
import t, { type Test } from 'tap';
import { parseProxyHeader, TLV, tlvOf, type ProxyHeader } from '../../src/codec/proxy-protocol/index.ts';
import {
  createLoadBalancer,
  type ConfigInput,
  type LoadBalancer,
  type SessionRecord,
} from '../../src/index.ts';
import { refusingAddress, scripts, startBackend, type Backend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, ONE_THREAD } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import type { Peer } from '../harness/peer.ts';
import { until } from '../harness/until.ts';
import { socketPath } from '../contracts/engine/fixture.ts';
import { formatAddress, parseAddress } from '../../src/support/address.ts';

type Upstream = Omit<ConfigInput['upstreams'][number], 'name'>;

async function start(t: Test, upstream: Upstream, over: Partial<ConfigInput> = {}, bind = '127.0.0.1:0') {
  const balancer = createLoadBalancer({
    ...DATA_PLANE,
    ...over,
    listeners: [{ name: 'web', bind, upstream: 'app' }],
    upstreams: [{ name: 'app', health: 'off', ...upstream }],
  });
  t.teardown(() => balancer.stop());
  const records: SessionRecord[] = [];
  balancer.on('session:closed', record => records.push(record));
  await balancer.start();
  return { balancer, records };
}

function parked(balancer: LoadBalancer): number {
  return balancer.snapshot().upstreams[0]?.backends[0]?.pool.parked ?? 0;
}

/** What a connection has begun with: a header, and the bytes behind it. */
function begunWith({ bytes }: Peer): { header: ProxyHeader | undefined; payload: string } {
  const parsed = parseProxyHeader(bytes);
  if (parsed.kind !== 'header') return { header: undefined, payload: bytes.toString() };
  return { header: parsed.header, payload: bytes.subarray(parsed.bytes).toString() };
}

const addresses = (backend: Backend) => [formatAddress(backend.address)];

void t.test('version 1 names the client, at once, and is not counted', async t => {
  const backend = await startBackend(t);
  const { balancer, records } = await start(t, { backends: addresses(backend), sendProxy: 'v1' });
  const { port } = addressOf(balancer);
  const client = await connectClient(t, addressOf(balancer));
  const peer = await backend.next();
  const line = `PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} ${port}\r\n`;
  await peer.untilText(line);
  t.equal(peer.text, line, 'before the client has sent anything');
  await client.send('question');
  await peer.untilText(`${line}question`);
  await peer.send('answer');
  client.halfClose();
  peer.halfClose();
  t.equal(await client.untilEnded(), 'fin');
  t.equal(client.text, 'answer');
  await until('it is recorded', () => records.length > 0);
  t.match(records[0], { bytesFromClient: 8, bytesFromBackend: 6, reason: 'closed' });
});

void t.test('version 2 carries the id of the session, as the record has it, and a checksum', async t => {
  const backend = await startBackend(t, scripts.echo);
  const sendProxy = { version: 'v2', tlvs: ['uniqueId', 'crc32c'] } as const;
  const { balancer, records } = await start(t, { backends: addresses(backend), sendProxy });
  const clients = await Promise.all([1, 2, 3].map(() => connectClient(t, addressOf(balancer))));
  for (const client of clients) client.socket.end('question');
  await until('all are recorded', () => records.length === 3);
  const ids = backend.peers.map(peer => {
    const { header, payload } = begunWith(peer);
    t.equal(payload, 'question');
    t.same(
      header?.tlvs.map(({ type }) => type),
      [TLV.uniqueId, TLV.crc32c],
    );
    return Buffer.from((header && tlvOf(header, TLV.uniqueId)) ?? []).toString();
  });
  t.same(ids.sort(), records.map(({ id }) => id).sort());
});

void t.test('a client of a unix socket is unknown', async t => {
  const backend = await startBackend(t);
  const path = socketPath(t);
  await start(t, { backends: addresses(backend), sendProxy: 'v2' }, {}, `unix:${path}`);
  await connectClient(t, { kind: 'unix', path });
  const peer = await backend.next();
  await peer.untilBytes(16);
  t.match(begunWith(peer).header, { command: 'proxy', addresses: undefined });
});

void t.test('a backend of a unix socket gets it, too', async t => {
  const backend = await startBackend(t, scripts.byHand, { kind: 'unix', path: socketPath(t) });
  const { balancer } = await start(t, { backends: addresses(backend), sendProxy: 'v2' });
  const client = await connectClient(t, addressOf(balancer));
  const peer = await backend.next();
  await peer.untilBytes(28);
  const source = { address: '127.0.0.1', port: client.socket.localPort };
  t.match(begunWith(peer).header, { addresses: { source } });
});

void t.test('after an attempt that failed there is one header, at the backend that answers', async t => {
  const backend = await startBackend(t);
  const backends = [formatAddress(await refusingAddress()), ...addresses(backend)];
  const { balancer } = await start(t, { strategy: 'first', backends, sendProxy: 'v1' });
  const client = await connectClient(t, addressOf(balancer));
  await client.send('question');
  const peer = await backend.next();
  await peer.untilText('question');
  t.match(peer.text, /^PROXY [^\r]+\r\nquestion$/);
});

void t.test(
  'a spare connection gets no byte before its client, and then the header of that client',
  async t => {
    const backend = await startBackend(t);
    const { balancer, records } = await start(t, {
      backends: addresses(backend),
      sendProxy: 'v1',
      pool: { warm: 1 },
    });
    const spare = await backend.next();
    await until('it is parked', () => parked(balancer) > 0);
    t.equal(spare.receivedBytes, 0);
    const client = await connectClient(t, addressOf(balancer));
    await client.send('question');
    await until('a backend has it', () => backend.peers.some(({ text }) => text.includes('question')));
    for (const { text } of backend.peers.filter(({ receivedBytes }) => receivedBytes > 0))
      t.match(
        text,
        new RegExp(`^PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} \\d+\r\nquestion$`),
      );
    client.reset();
    await until('it is recorded', () => records.length > 0);
  },
);

void t.test('a spare connection that is dead costs no client its header', async t => {
  const backend = await startBackend(t);
  const upstream = { backends: addresses(backend), sendProxy: 'v1', pool: { warm: 1 } } as const;
  const { balancer } = await start(t, upstream, { ...ONE_THREAD });
  await backend.next();
  await until('it is parked', () => parked(balancer) === 1);
  for (const peer of backend.peers) peer.socket.destroy();
  const client = await connectClient(t, addressOf(balancer));
  await client.send('question');
  await until('a backend has it', () => backend.peers.some(({ text }) => text.endsWith('question')));
  const texts = backend.peers.map(({ text }) => text).filter(text => text !== '');
  for (const text of texts) t.match(text, /^PROXY [^\r]+\r\n(question)?$/);
});

void t.test('a change of the configuration is for the sessions that begin from then on', async t => {
  const backend = await startBackend(t);
  const { balancer } = await start(t, { backends: addresses(backend), pool: { reuse: true } });
  const before = await connectClient(t, addressOf(balancer));
  await before.send('a');
  const first = await backend.next();
  await first.untilText('a');
  await first.send('b');
  await before.untilText('b');
  before.halfClose();
  await until('it is parked', () => parked(balancer) > 0);
  await balancer.apply({
    ...DATA_PLANE,
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
    upstreams: [{ name: 'app', health: 'off', backends: addresses(backend), sendProxy: 'v1' }],
  });
  const client = await connectClient(t, addressOf(balancer));
  await client.send('question');
  const second = await backend.next();
  await second.untilText('question');
  t.match(second.text, /^PROXY [^\r]+\r\nquestion$/);
  t.equal(first.text, 'a', 'a connection that has served another client gets no header');
});

for (const health of [
  { type: 'tcp' },
  { type: 'http' },
  { type: 'sendExpect', send: 'ping', expect: 'pong' },
] as const)
  for (const version of ['v1', 'v2'] as const)
    void t.test(`a check of type ${health.type} begins with a header of ${version}`, async t => {
      const ports: (number | undefined)[] = [];
      const backend = await startBackend(t, peer => {
        ports.push(peer.socket.remotePort);
        peer.socket.on('end', () => peer.socket.end());
        peer.socket.on('data', () => {
          if (peer.text.endsWith('ping')) void peer.send('pong');
          if (peer.text.endsWith('\r\n\r\n')) peer.socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
        });
      });
      const { balancer } = await start(t, {
        backends: addresses(backend),
        sendProxy: version,
        health: { ...health, initial: 'down', rise: 1 },
      });
      const up = () => balancer.snapshot().upstreams[0]?.backends[0]?.state === 'up';
      await until('it passes', up);
      const [peer] = backend.peers;
      // A check that only connects may pass before its header has come.
      await peer!.untilBytes(16);
      const { header } = begunWith(peer!);
      const { address } = backend;
      const port = address.kind === 'tcp' ? address.port : 0;
      if (version === 'v2') t.match(header, { command: 'local' });
      else
        t.match(header, {
          addresses: {
            source: { address: '127.0.0.1', port: ports[0] },
            destination: { address: '127.0.0.1', port },
          },
        });
    });

void t.test('a check that goes elsewhere, or is told so, has none', async t => {
  const backend = await startBackend(t);
  const other = await startBackend(t);
  const place = parseAddress(formatAddress(other.address));
  t.ok(place.ok);
  const sending = { backends: addresses(backend), sendProxy: 'v1' } as const;
  await start(t, { ...sending, health: { address: formatAddress(other.address) } });
  const elsewhere = await other.next();
  await elsewhere.untilEnded();
  t.equal(elsewhere.text, '');
  await start(t, { ...sending, health: { sendProxy: 'off' } });
  const told = await backend.next();
  await told.untilEnded();
  t.equal(told.text, '');
  await start(t, { backends: addresses(backend), health: { sendProxy: 'v1' } });
  const checked = await backend.next();
  await checked.untilText('\r\n');
  t.match(checked.text, /^PROXY TCP4 127.0.0.1 127.0.0.1 \d+ \d+\r\n$/);
});
