/** `acceptProxy`: whose headers are believed, what becomes of other bytes, and that half a header costs no honest client. */
import { spawn } from 'node:child_process';
import t, { type Test } from 'tap';
import { encodeProxyHeader, TLV } from '../../src/codec/proxy-protocol/index.ts';
import { createLoadBalancer, type ConfigInput, type SessionRecord } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { socketPath } from '../contracts/engine/fixture.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { ONE_THREAD } from '../harness/data-plane.ts';
import { FULL } from '../harness/full-load.ts';
import { addressOf } from '../harness/listening-address.ts';
import { until } from '../harness/until.ts';

t.setTimeout(120_000);

type Accept = NonNullable<ConfigInput['listeners'][number]['acceptProxy']>;
type Upstream = Partial<ConfigInput['upstreams'][number]>;
type Listener = Partial<ConfigInput['listeners'][number]>;

const LINE = 'PROXY TCP4 192.0.2.7 198.51.100.1 51034 443\r\n';
const LOCAL = encodeProxyHeader({ version: 2, command: 'local', addresses: undefined });
const TRUSTED: Accept = { from: ['127.0.0.0/8'] };

async function start(t: Test, acceptProxy: Accept, upstream: Upstream = {}, listener: Listener = {}) {
  const backend = await startBackend(t, scripts.echo);
  const balancer = createLoadBalancer({
    ...ONE_THREAD,
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app', acceptProxy, ...listener }],
    upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)], ...upstream }],
  });
  t.teardown(() => balancer.stop());
  const records: SessionRecord[] = [];
  balancer.on('session:closed', record => records.push(record));
  await balancer.start();
  const connect = () => connectClient(t, addressOf(balancer));
  const record = async () => {
    await until('it is recorded', () => records.length > 0);
    return records[0]!;
  };
  return { backend, balancer, records, connect, record };
}

void t.test('a trusted sender names the client; the backend gets what follows', async t => {
  const { backend, connect, record } = await start(t, TRUSTED);
  const client = await connect();
  await client.send(`${LINE}question`);
  client.halfClose();
  t.equal(await client.untilEnded(), 'fin');
  t.equal(client.text, 'question');
  t.equal(backend.peers[0]?.text, 'question');
  t.match(await record(), {
    clientAddress: '192.0.2.7',
    clientPort: 51034,
    proxyAddress: '127.0.0.1',
    uniqueId: undefined,
    bytesFromClient: 8,
    bytesFromBackend: 8,
    reason: 'closed',
  });
});

void t.test('byte by byte is as good, and a backend may speak first once it has come', async t => {
  const { connect, record, backend } = await start(t, TRUSTED);
  const client = await connect();
  const header = Buffer.from(
    encodeProxyHeader({
      version: 2,
      command: 'proxy',
      addresses: {
        family: 'ipv6',
        transport: 'stream',
        source: { address: '2001:db8::7', port: 1 },
        destination: { address: '2001:db8::1', port: 443 },
      },
      tlvs: [
        { type: TLV.uniqueId, value: Buffer.from('front-7') },
        { type: TLV.crc32c, value: new Uint8Array(4) },
      ],
    }),
  );
  for (const byte of header) await client.send(Buffer.from([byte]));
  const peer = await backend.next();
  await peer.send('hello');
  await client.untilText('hello');
  client.reset();
  t.match(await record(), {
    clientAddress: '2001:db8::7',
    clientPort: 1,
    uniqueId: 'front-7',
    bytesFromClient: 0,
  });
});

void t.test('an address mapped into IPv6 is an IPv4 address', async t => {
  const { connect, record } = await start(t, TRUSTED);
  const client = await connect();
  client.socket.end('PROXY TCP6 ::ffff:192.0.2.7 ::ffff:c633:6401 51034 443\r\nx');
  await client.untilEnded();
  t.match(await record(), { clientAddress: '192.0.2.7', bytesFromClient: 1 });
});

void t.test('with LOCAL and UNKNOWN the address is that of the connection', async t => {
  for (const header of [LOCAL, 'PROXY UNKNOWN\r\n']) {
    const { connect, record } = await start(t, TRUSTED);
    const client = await connect();
    await client.send(header);
    client.socket.end('x');
    await client.untilEnded();
    t.equal(client.text, 'x');
    const { localPort } = client.socket;
    t.match(await record(), { clientAddress: '127.0.0.1', bytesFromClient: 1 });
    t.ok(localPort === undefined || (await record()).clientPort === localPort);
  }
});

void t.test('the bytes of others are payload, whatever they look like', async t => {
  for (const from of [['10.0.0.0/8', '::1', 'unix'], []]) {
    const { connect, record } = await start(t, { from });
    const client = await connect();
    client.socket.end(`${LINE}question`);
    await client.untilEnded();
    t.equal(client.text, `${LINE}question`);
    const { proxyAddress, clientAddress } = await record();
    t.same({ proxyAddress, clientAddress }, { proxyAddress: undefined, clientAddress: '127.0.0.1' });
  }
});

void t.test('a client of a unix socket is trusted only as `unix`', async t => {
  for (const [from, answer] of [
    [['unix'], 'x'],
    [['0.0.0.0/0', '::/0'], `${LINE}x`],
  ] as const) {
    const path = socketPath(t);
    await start(t, { from }, {}, { bind: `unix:${path}` });
    const client = await connectClient(t, { kind: 'unix', path });
    client.socket.end(`${LINE}x`);
    await client.untilEnded();
    t.equal(client.text, answer);
  }
});

void t.test('a trusted sender without a header is reset, unless it need not send one', async t => {
  const strict = await start(t, TRUSTED);
  const refused = await strict.connect();
  await refused.send('GET / HTTP/1.1\r\n\r\n');
  t.equal(await refused.untilEnded(), 'reset');
  t.match(await strict.record(), {
    by: 'balancer',
    phase: 'admission',
    reason: 'noProxyHeader',
    attempts: 0,
  });
  t.equal(strict.backend.peers.length, 0);
  const lenient = await start(t, { ...TRUSTED, required: false });
  const client = await lenient.connect();
  client.socket.end('GET / HTTP/1.1\r\n\r\n');
  await client.untilEnded();
  t.equal(client.text, 'GET / HTTP/1.1\r\n\r\n');
});

void t.test(
  'one that need not, and waits for the server to speak, is let in when the time is over',
  async t => {
    const { backend, connect } = await start(t, { ...TRUSTED, required: false, timeout: '100ms' });
    const client = await connect();
    await (await backend.next()).send('hello');
    await client.untilText('hello');
  },
);

const BAD = {
  'a malformed line': 'PROXY TCP4 192.0.2.7 198.51.100.1 51034\r\n',
  'an endless line': `PROXY UNKNOWN ${'x'.repeat(200)}`,
  'a version that does not exist': Buffer.concat([
    Buffer.from(LOCAL.subarray(0, 12)),
    Buffer.from([0x31, 0x11, 0, 0]),
  ]),
  'a header of 64 KiB': Buffer.concat([Buffer.from(LOCAL.subarray(0, 14)), Buffer.from([0xff, 0xff])]),
};
for (const [what, bytes] of Object.entries(BAD))
  void t.test(`${what} is reset and counted, and no backend has it`, async t => {
    const { backend, balancer, connect, record } = await start(t, TRUSTED);
    const client = await connect();
    await client.send(bytes);
    t.equal(await client.untilEnded(), 'reset');
    t.match(await record(), { by: 'balancer', phase: 'admission', reason: 'badProxyHeader' });
    t.equal(backend.peers.length, 0);
    t.equal(balancer.snapshot().sessions, 0);
  });

void t.test('half a header is cut at its timeout', async t => {
  const { connect, record, backend } = await start(t, { ...TRUSTED, timeout: '200ms' });
  const client = await connect();
  await client.send(LINE.slice(0, 20));
  t.equal(await client.untilEnded(), 'reset');
  t.match(await record(), { by: 'balancer', phase: 'admission', reason: 'timeout' });
  t.equal(backend.peers.length, 0);
});

void t.test('a client that closes before its header is there has ended by itself', async t => {
  const { connect, record } = await start(t, TRUSTED);
  const client = await connect();
  client.socket.end(LINE.slice(0, 20));
  await client.untilEnded();
  t.match(await record(), { by: 'client', phase: 'admission', reason: 'closed' });
});

void t.test('strategies and stickiness go by the client that the header names', async t => {
  const others = await Promise.all([1, 2, 3].map(() => startBackend(t, scripts.echo)));
  const backends = others.map(({ address }) => formatAddress(address));
  const { connect, records } = await start(t, TRUSTED, { strategy: 'iphash', backends });
  for (let i = 0; i < 60; i++) {
    const client = await connect();
    client.socket.end(`PROXY TCP4 192.0.2.${i % 20} 198.51.100.1 ${1000 + i} 443\r\nx`);
    await client.untilEnded();
  }
  await until('all are recorded', () => records.length === 60);
  const byClient = new Map<string, Set<string | undefined>>();
  for (const { clientAddress, backend } of records)
    byClient.set(clientAddress, (byClient.get(clientAddress) ?? new Set()).add(backend));
  t.equal(byClient.size, 20);
  for (const [client, seen] of byClient) t.equal(seen.size, 1, client);
  t.ok(new Set(records.map(({ backend }) => backend)).size > 1, 'not all go to one');
});

void t.test('the header is passed on: address, destination and id', async t => {
  const sendProxy = { version: 'v2', tlvs: ['uniqueId', 'others', 'crc32c'] } as const;
  const { backend, connect } = await start(t, TRUSTED, { sendProxy });
  const header = {
    version: 2,
    command: 'proxy',
    addresses: {
      family: 'ipv4',
      transport: 'stream',
      source: { address: '192.0.2.7', port: 51034 },
      destination: { address: '198.51.100.1', port: 443 },
    },
    tlvs: [
      { type: TLV.uniqueId, value: Buffer.from('front-7') },
      { type: 0xea, value: Buffer.from('vpce') },
      { type: TLV.crc32c, value: new Uint8Array(4) },
    ],
  } as const;
  const client = await connect();
  await client.send(encodeProxyHeader(header));
  await client.send('x');
  const peer = await backend.next();
  await peer.untilText('x');
  t.same(peer.bytes.subarray(0, -1), Buffer.from(encodeProxyHeader(header)));
});

/** Opens connections that send half a header, says so, and keeps them until its standard input ends. */
const SLOW_CLIENTS = `
  const { connect } = require('node:net');
  const [port, count, half] = process.argv.slice(1);
  let open = 0;
  const next = () => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(half);
      if (++open === Number(count)) console.log('open');
    });
    socket.on('error', () => undefined).on('close', () => undefined);
  };
  for (let i = 0; i < count; i++) setTimeout(next, i / 10);
  process.stdin.on('end', () => process.exit()).resume();
`;
const SLOW = FULL ? 10_000 : 600;

void t.test(
  `${SLOW} half headers that fill the limit leave room for honest clients`,
  { timeout: 120_000 },
  async t => {
    const places = SLOW / 2;
    const { balancer, connect, records } = await start(
      t,
      { ...TRUSTED, timeout: '60s' },
      {},
      { limits: { maxSessions: places } },
    );
    const { port } = addressOf(balancer);
    const slow = spawn(process.execPath, ['-e', SLOW_CLIENTS, `${port}`, `${SLOW}`, LINE.slice(0, 20)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.teardown(() => slow.stdin.end());
    await until('the limit is reached', () => balancer.snapshot().sessions === places, 30_000);
    for (let i = 0; i < 20; i++) {
      const client = await connect();
      client.socket.end(`${LINE}question`);
      t.equal(await client.untilEnded(), 'fin');
      t.equal(client.text, 'question');
    }
    t.ok(cut(records).length > 0, `${cut(records).length} were cut before their time`);
    slow.stdin.end();
    await until('the others have gone', () => balancer.snapshot().sessions === 0, 30_000);
  },
);

const cut = (records: readonly SessionRecord[]): readonly SessionRecord[] =>
  records.filter(({ reason, phase }) => reason === 'timeout' && phase === 'admission');
