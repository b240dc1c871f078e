/**
 * Sessions over TLS with real sockets and the node engine: TLS that ends here, TLS to backends, and both; each session
 * ends once, wherever it is given up.
 */
import { spawn } from 'node:child_process';
import { connect as connectTcp, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import {
  SSL_CLIENT,
  TLV,
  tlvOf,
  parseProxyHeader,
  parseSslTlv,
} from '../../../src/codec/proxy-protocol/index.ts';
import { DataPlane } from '../../../src/data/data-plane.ts';
import { DeadlineWheel } from '../../../src/data/session/deadline-wheel.ts';
import { createNodeEngine } from '../../../src/engine/node/node-engine.ts';
import type { DataEvent } from '../../../src/model/data-event.ts';
import type { ListenerPlan } from '../../../src/model/listener-plan.ts';
import type { UpstreamPlan } from '../../../src/model/upstream-plan.ts';
import { HANDSHAKE_FAILURES, LISTENER } from '../../../src/shared-memory/counters/layout.ts';
import { Counts } from '../../../src/model/counter-view.ts';
import { ControlledState } from '../../../src/shared-memory/shared-state.ts';
import type { Address } from '../../../src/support/address.ts';
import { formatAddress } from '../../../src/support/address.ts';
import { setUnrefTimer } from '../../../src/support/timer.ts';
import { scripts, startBackend } from '../../harness/backend.ts';
import { clientSettings, serverSettings } from '../../harness/fake-tls.ts';
import { FULL } from '../../harness/full-load.ts';
import { backendPlan, listenerPlan, listenersChange, upstreamPlan } from '../../harness/plans.ts';
import { find } from '../../harness/programs.ts';
import { createAuthority, withoutOpenssl } from '../../harness/tls-authority.ts';
import { connectTlsClient, startTlsBackend } from '../../harness/tls-peer.ts';
import { until } from '../../harness/until.ts';

const authority = withoutOpenssl === false ? createAuthority(t) : undefined;
const made = authority?.issue('lb4', 'DNS:shop.test,IP:127.0.0.1');
const ca = authority?.ca ?? '';
const serving = (given: Partial<Parameters<typeof serverSettings>[0]> = {}) =>
  serverSettings({ certificates: made === undefined ? [] : [made], ...given });

/** A data plane in this thread, whose clients reach these backends, in this order. */
async function start(
  t: Test,
  addresses: readonly Address[],
  listener: Partial<ListenerPlan> = {},
  upstream: Partial<UpstreamPlan> = {},
) {
  const now = (): number => performance.now();
  const wheel = new DeadlineWheel(now);
  const shared = new ControlledState({ slots: 16 });
  const events: DataEvent[] = [];
  const data = new DataPlane({
    ...{ engine: createNodeEngine({ clock: wheel, now }), shared, wheel, now, setTimer: setUnrefTimer },
    ledger: { sessionsEver: 0, sessionsAborted: 0 },
    slot: shared.slotOfInstance(),
    wallClock: () => Date.now(),
    random: () => 0.5,
    report: event => events.push(event),
  });
  data.recording = 'each';
  const backends = addresses.map(address => {
    const id = formatAddress(address);
    const { index, tag } = shared.slotOfBackend('app', id);
    return backendPlan(id, index, { tag, addresses: [address] });
  });
  const configure = (changed: Partial<UpstreamPlan>): void =>
    data.apply({
      kind: 'upstream',
      upstream: upstreamPlan('app', { backends, strategy: 'first', ...changed }, shared),
    });
  configure(upstream);
  const slot = shared.slotOfListener('web');
  const bind = [{ key: 'a', where: { kind: 'tcp', host: '127.0.0.1', port: 0 } as const }];
  data.apply(listenersChange(shared, listenerPlan('web', { slot, bind, ...listener })));
  await data.settled();
  t.teardown(async () => {
    data.closePools();
    data.abortSessions({ by: 'balancer', phase: 'drain', reason: 'stopped' });
    await data.stopListening();
  });
  const [address] = data.addressesOf('web');
  if (address?.kind !== 'tcp') throw new Error('no address');
  const records = () => events.flatMap(event => (event.kind === 'sessionClosed' ? [event.record] : []));
  const recorded = async (count = 1) => {
    await until('they are recorded', () => records().length >= count);
    return records();
  };
  const counts = (): Counts => {
    const { cells, at, rows } = shared.counters.live(slot);
    return new Counts(cells, at, rows);
  };
  const places = (): number => shared.counts.live(slot);
  const phases = () => data.sessions({ limit: 100_000 }).map(({ phase }) => phase);
  return { data, address, events, records, recorded, counts, places, phases, configure };
}

void t.test('TLS ends here, and the backend gets what is inside', { skip: withoutOpenssl }, async t => {
  const backend = await startBackend(t, scripts.echo);
  const { address, recorded, counts, places } = await start(t, [backend.address], {
    tls: serving({ alpn: ['h2', 'http/1.1'] }),
  });
  const options = { ca, servername: 'shop.test', rejectUnauthorized: true, ALPNProtocols: ['http/1.1'] };
  const client = await connectTlsClient(t, address, options);
  await client.untilSecure();
  await client.send('hello');
  await client.untilText('hello');
  t.equal(backend.peers[0]?.text, 'hello');
  client.halfClose();
  t.equal(await client.untilEnded(), 'close_notify');
  t.match(await recorded(), [
    {
      ...{ by: 'client', reason: 'closed', bytesFromClient: 5, bytesFromBackend: 5, attempts: 1 },
      ...{ serverName: 'shop.test', tlsVersion: 'TLSv1.3', alpn: 'http/1.1', tlsResumed: false },
    },
  ]);
  t.same(
    [counts().total(LISTENER.handshakes), counts().total(LISTENER.handshakeFailures), places()],
    [1, 0, 0],
  );
});

void t.test('TLS begins here: verified, and with a name', { skip: withoutOpenssl }, async t => {
  const backend = await startTlsBackend(t, { cert: made?.chain, key: made?.key });
  const { address, recorded } = await start(t, [backend.address], {}, { tls: clientSettings({ ca }) });
  const client = connectTcp(address);
  t.teardown(() => client.destroy());
  client.end('plain');
  const peer = await backend.next();
  await peer.untilText('plain');
  peer.halfClose();
  t.match(await recorded(), [{ by: 'client', reason: 'closed', bytesFromClient: 5, tlsVersion: undefined }]);
});

void t.test(
  'a backend that fails its handshake is another connect failure',
  { skip: withoutOpenssl },
  async t => {
    const stranger = createAuthority(t, 'stranger').issue('bad', 'IP:127.0.0.1');
    const bad = await startTlsBackend(t, { cert: stranger.chain, key: stranger.key });
    const good = await startTlsBackend(t, { cert: made?.chain, key: made?.key });
    const tls = clientSettings({ ca });
    const { address, events } = await start(t, [bad.address, good.address], {}, { tls });
    const client = connectTcp(address);
    t.teardown(() => client.destroy());
    client.write('hello');
    await (await good.next()).untilText('hello');
    const failed = events.filter(({ kind }) => kind === 'connectFailed');
    t.match(failed, [{ backend: formatAddress(bad.address), failure: { reason: 'tls' } }]);
    t.match(failed, [{ failure: { code: /^[A-Z_]+$/ } }], 'with the library’s own word for it');
  },
);

void t.test(
  'TLS ends and begins anew, with the client’s protocol and a header',
  { skip: withoutOpenssl },
  async t => {
    const backend = await startTlsBackend(t, { cert: made?.chain, key: made?.key, ALPNProtocols: ['h2'] });
    const { address } = await start(
      t,
      [backend.address],
      { tls: serving({ alpn: ['h2'] }) },
      { tls: clientSettings({ ca }) },
    );
    const client = await connectTlsClient(t, address, { ALPNProtocols: ['h2', 'http/1.1'] });
    await client.untilSecure();
    await client.send('through both');
    const peer = await backend.next();
    await peer.untilText('through both');
    t.same([client.tls.alpnProtocol, peer.tls.alpnProtocol], ['h2', 'h2']);
    peer.halfClose();
    t.equal(await client.untilEnded(), 'close_notify');
  },
);

void t.test(
  'a header in the clear says what the client’s certificate is',
  { skip: withoutOpenssl },
  async t => {
    const till = authority?.issue('till-7', 'DNS:till-7.test');
    const backend = await startBackend(t, scripts.echo);
    const { address, recorded } = await start(
      t,
      [backend.address],
      { tls: serving({ clients: { ca, isRequired: true } }) },
      { sendProxy: { version: 'v2', tlvs: ['authority', 'ssl'] } },
    );
    const client = await connectTlsClient(t, address, {
      ...{ cert: till?.chain, key: till?.key, servername: 'shop.test' },
    });
    await client.send('!');
    await until('it has arrived', () => backend.peers[0]?.text.endsWith('!') === true);
    const parsed = parseProxyHeader(backend.peers[0]?.bytes ?? new Uint8Array());
    if (parsed.kind !== 'header') throw new Error(parsed.kind);
    t.equal(String(Buffer.from(tlvOf(parsed.header, TLV.authority) ?? [])), 'shop.test');
    const ssl = parseSslTlv(tlvOf(parsed.header, TLV.ssl) ?? new Uint8Array());
    t.equal((ssl?.client ?? 0) & SSL_CLIENT.certificateOfConnection, SSL_CLIENT.certificateOfConnection);
    client.reset();
    t.match(await recorded(), [{ by: 'client', reason: 'reset', clientCertificate: 'till-7' }]);
  },
);

void t.test('who fails the handshake is said, and reaches no backend', { skip: withoutOpenssl }, async t => {
  const backend = await startBackend(t, scripts.echo);
  const { address, events, recorded, counts, places } = await start(t, [backend.address], {
    tls: serving({ clients: { ca, isRequired: true } }),
  });
  const plain = connectTcp(address, () => void plain.write('GET / HTTP/1.1\r\n\r\n'));
  t.teardown(() => plain.destroy());
  await recorded(1);
  const bare = await connectTlsClient(t, address);
  await recorded(2);
  const suspicious = spawn(
    find('openssl') ?? 'openssl',
    ['s_client', '-connect', formatAddress(address), '-verify_return_error'],
    { stdio: 'ignore' },
  );
  t.teardown(() => suspicious.kill());
  await recorded(3);
  const gone = connectTcp(address, () => gone.resetAndDestroy());
  gone.on('error', () => undefined);
  t.match(await recorded(4), [
    { by: 'balancer', phase: 'admission', reason: 'badHandshake' },
    { by: 'balancer', phase: 'admission', reason: 'badCertificate' },
    { by: 'client', phase: 'admission', reason: 'badCertificate' },
    { by: 'client', phase: 'admission', reason: /^(closed|reset)$/ },
  ]);
  t.match(
    events.filter(({ kind }) => kind === 'refused'),
    [
      { reason: 'badHandshake', code: /^ERR_SSL_/ },
      { reason: 'badCertificate', code: 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE' },
    ],
  );
  t.same([backend.peers.length, counts().total(LISTENER.handshakeFailures), places()], [0, 4, 0]);
  bare.tls.destroy();
});

void t.test(
  'a session is given up in each phase, once, and holds nothing',
  { skip: withoutOpenssl },
  async t => {
    const backend = await startTlsBackend(t, { cert: made?.chain, key: made?.key });
    // Accepts, and says nothing: the handshake with it does not end.
    const silent = await startBackend(t, () => undefined);
    const tls = clientSettings({ ca });
    const { address, data, phases, records, places, counts, configure } = await start(
      t,
      [silent.address, backend.address],
      { tls: serving() },
      { tls },
    );
    const waiting = connectTcp(address);
    waiting.on('error', () => undefined);
    const connecting = await connectTlsClient(t, address);
    await until('both are there', () => phases().sort().join() === 'admission,connect');
    t.equal(await data.endSessions({ limit: 10 }), 2);
    t.equal(await connecting.untilEnded(), 'reset');
    await until('both are over', () => records().length === 2);
    t.match(
      records()
        .map(({ phase }) => phase)
        .sort(),
      ['admission', 'connect'],
    );
    await until('the backend is left', () => silent.peers.every(({ ending }) => ending !== undefined));
    configure({ tls, strategy: 'leastconn', connect: { ...upstreamPlan().connect, timeout: 100 } });
    const relaying = await connectTlsClient(t, address);
    const peer = await backend.next();
    await peer.untilSecure();
    data.abortSessions({ by: 'balancer', phase: 'drain', reason: 'stopped' });
    t.equal(await relaying.untilEnded(), 'reset');
    t.equal(await peer.untilEnded(), 'reset');
    t.match(records()[2], { by: 'balancer', phase: 'drain', reason: 'stopped' });
    t.same([records().length, places()], [3, 0]);
    t.equal(counts().total(LISTENER.handshakes), 2);
    t.equal(counts().of(LISTENER.handshakeFailures, HANDSHAKE_FAILURES.indexOf('timeout')), 0);
    waiting.destroy();
  },
);

void t.test(
  'a client that says nothing in TLS costs no backend anything',
  { skip: withoutOpenssl },
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const { address, counts, phases, recorded } = await start(t, [backend.address], {
      ...{ tls: serving(), firstByte: { timeout: 60_000 } },
    });
    const client = await connectTlsClient(t, address);
    await until('its handshake is over', () => counts().total(LISTENER.handshakes) === 1);
    t.same([phases(), backend.peers.length], [['admission'], 0]);
    await client.send('now');
    await client.untilText('now');
    const other = await connectTlsClient(t, address);
    await other.untilSecure();
    other.halfClose();
    t.match(await recorded(), [{ by: 'client', phase: 'admission', reason: 'closed', attempts: 0 }]);
  },
);

void t.test('slow handshakes leave room for honest clients', { skip: withoutOpenssl }, async t => {
  const SLOW = FULL ? 10_000 : 100;
  const backend = await startBackend(t, scripts.echo);
  const { address, counts, places, records } = await start(t, [backend.address], {
    tls: serving({ timeout: 60_000 }),
    limits: { maxSessions: SLOW / 2 },
  });
  const slow: Socket[] = [];
  t.teardown(() => slow.forEach(socket => socket.destroy()));
  for (let i = 0; i < SLOW; i++) {
    // The beginning of a ClientHello, and never more of it.
    const socket = connectTcp(address, () => void socket.write(Buffer.from('1603010200010001', 'hex')));
    socket.on('error', () => undefined);
    slow.push(socket);
  }
  await until('they have all places', () => places() === SLOW / 2, 30_000);
  const honest = await connectTlsClient(t, address);
  await honest.send('served');
  await until('it is served', () => honest.text === 'served', 30_000);
  const cut = counts().of(LISTENER.handshakeFailures, HANDSHAKE_FAILURES.indexOf('timeout'));
  t.ok(cut > 0, `${cut} slow ones were cut`);
  honest.reset();
  await until('it is recorded', () => records().some(({ attempts }) => attempts === 1));
});
