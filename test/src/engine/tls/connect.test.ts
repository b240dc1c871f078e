/** TLS to backends: what is verified, how it fails, and what comes before it. */
import { createServer } from 'node:net';
import { createSecureContext } from 'node:tls';
import t, { type Test } from 'tap';

import type { Address } from '../../../../src/support/address.ts';
import type { ClientOpening, TlsCertificate } from '../../../../src/engine/tls.ts';
import { createEpollEngine } from '../../../../src/engine/epoll/epoll-engine.ts';
import { STOPPED_CLOCK } from '../../../contracts/engine/fixture.ts';
import { scripts, startBackend } from '../../../harness/backend.ts';
import '../../../harness/run-once.ts';
import type { Peer } from '../../../harness/peer.ts';
import { createAuthority, withoutOpenssl } from '../../../harness/tls-authority.ts';
import { startTlsBackend } from '../../../harness/tls-peer.ts';
import { until } from '../../../harness/until.ts';
import { authority, backendOptions, clientSettings, connectTls, libc, newEngine } from './fixture.ts';

const skip = withoutOpenssl;
const engine = newEngine();
const terms = engine.tls.clientTerms(clientSettings());

async function backendWith(t: Test, { chain: cert, key }: TlsCertificate): Promise<Address> {
  return (await startTlsBackend(t, { secureContext: createSecureContext({ cert, key }) })).address;
}

void t.test('a certificate is good for the name or the address that is asked for', { skip }, async t => {
  const { address } = await startTlsBackend(t, backendOptions());
  t.match(await connectTls(engine, address, { terms, serverName: 'lb4.test' }), { ok: true });
  t.match(await connectTls(engine, address, { terms }), { ok: true }, 'by its IP address');
  t.match(await connectTls(engine, address, { terms, serverName: 'other.test' }), {
    ok: false,
    failure: { reason: 'tls', code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  });
  const named = engine.tls.clientTerms(clientSettings({ serverName: 'lb4.test' }));
  t.match(await connectTls(engine, address, { terms: named, serverName: 'other.test' }), { ok: true });
});

void t.test('what cannot be verified is refused, by its code', { skip }, async t => {
  const stranger = createAuthority(t, 'somebody else').issue('lb4.test', 'IP:127.0.0.1');
  t.match(await connectTls(engine, await backendWith(t, stranger), { terms }), {
    failure: { reason: 'tls', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
  });
  const noAddress = authority.issue('elsewhere', 'DNS:elsewhere.test');
  t.match(await connectTls(engine, await backendWith(t, noAddress), { terms }), {
    failure: { reason: 'tls', code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  });
  const blind = engine.tls.clientTerms(clientSettings({ verify: false }));
  t.match(await connectTls(engine, await backendWith(t, stranger), { terms: blind }), { ok: true });
});

void t.test('a backend that speaks no TLS, closes or resets is a failure', { skip }, async t => {
  const plain = await startBackend(t, scripts.greet('220 mail.example ESMTP\r\n'));
  t.match(await connectTls(engine, plain.address, { terms }), {
    failure: { reason: 'tls', code: 'ERR_SSL_WRONG_VERSION_NUMBER' },
  });
  const closing = await startBackend(t, peer => peer.halfClose());
  t.match(await connectTls(engine, closing.address, { terms }), {
    failure: { reason: 'tls', code: 'ERR_TLS_CLOSED' },
  });
  const resetting = await startBackend(t, peer => peer.socket.once('data', () => peer.reset()));
  t.match(await connectTls(engine, resetting.address, { terms }), {
    failure: { reason: 'tls', code: 'ECONNRESET' },
  });
});

void t.test('a backend that never answers is given up within the time for all of it', { skip }, async t => {
  const silent = await startBackend(t, scripts.neverRead);
  t.match(await connectTls(engine, silent.address, { terms }, 50), {
    failure: { reason: 'timeout', code: 'ETIMEDOUT' },
  });
  await until(
    'the backend is reset',
    () => silent.peers[0]?.ending === 'reset' || silent.peers[0]?.closed === true,
  );
});

void t.test('nothing listens: as without TLS', async t => {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  await new Promise(resolve => server.close(resolve));
  t.match(await connectTls(engine, { kind: 'tcp', host: '127.0.0.1', port }, { terms }), {
    failure: { reason: 'refused', code: 'ECONNREFUSED' },
  });
});

void t.test('a cancel in the middle of a handshake resets, and says no more', { skip }, async t => {
  const silent = await startBackend(t, scripts.byHand);
  let called = 0;
  const cancel = engine.connect(silent.address, { timeoutMs: 5000, tls: { terms } }, () => called++);
  const backend = await silent.next();
  await until('the ClientHello is there', () => backend.receivedBytes > 0);
  cancel();
  t.equal(await backend.untilEnded(), 'reset');
  t.equal(called, 0);
});

void t.test('the last ticket of a backend shortens the next handshake', { skip }, async t => {
  const { address, peers } = await startTlsBackend(t, backendOptions());
  for (const [index, resumed] of [false, true].entries()) {
    const result = await connectTls(engine, address, { terms, serverName: 'lb4.test' });
    t.equal(result.ok, true);
    const peer = peers[index]!;
    await peer.untilSecure();
    t.equal(peer.tls.isSessionReused(), resumed);
    await peer.send('x');
    if (!result.ok) return;
    await new Promise<void>(resolve =>
      result.connection.peek(1, (_bytes, state) => {
        if (state === 'full') resolve();
      }),
    );
    result.connection.reset();
  }
});

void t.test('what the client has agreed on is offered in place of the settings', { skip }, async t => {
  const options = { ...backendOptions(), ALPNProtocols: ['h2', 'http/1.1'] };
  const { address, peers } = await startTlsBackend(t, options);
  const both = engine.tls.clientTerms(clientSettings({ alpn: ['http/1.1'] }));
  t.match(await connectTls(engine, address, { terms: both }), { ok: true });
  t.match(await connectTls(engine, address, { terms: both, alpn: ['h2'] }), { ok: true });
  await until('both are there', () => peers.length === 2 && peers.every(({ isSecure }) => isSecure));
  t.strictSame(
    peers.map(({ tls }) => tls.alpnProtocol),
    ['http/1.1', 'h2'],
  );
});

const OPENING: ClientOpening = {
  request: Buffer.from('TLS?'),
  read: bytes =>
    bytes.length === 0
      ? { kind: 'more' }
      : bytes[0] === 0x53
        ? { kind: 'tls', take: 1 }
        : { kind: 'refuse', code: 'NO_TLS' },
};

void t.test('a preface and a question go out in the clear, and TLS follows the answer', { skip }, async t => {
  const { address, peers } = await startTlsBackend(
    t,
    { ...backendOptions() },
    { inTheClear: 'PROXY\r\nTLS?', answer: 'S' },
  );
  const connect = { terms, preface: Buffer.from('PROXY\r\n'), opening: OPENING };
  t.match(await connectTls(engine, address, connect), { ok: true });
  await peers[0]!.untilSecure();
});

void t.test('no byte behind the answer is ever taken for one of TLS', { skip }, async t => {
  for (const [answer, code] of [
    ['Sx', 'EARLY_DATA'],
    ['N', 'NO_TLS'],
  ] as const) {
    const backend = await startBackend(t, scripts.greet(answer));
    t.match(await connectTls(engine, backend.address, { terms, opening: OPENING }), {
      failure: { reason: 'tls', code },
    });
    await backend.peers[0]?.untilEnded();
    t.equal(backend.peers[0]?.text, 'TLS?', 'and nothing else was said');
  }
});

void t.test('a backend that ends, resets, or answers without an end before TLS is a failure', async t => {
  const endless: ClientOpening = { request: Buffer.from('TLS?'), read: () => ({ kind: 'more' }) };
  for (const [answer, act, code] of [
    ['x'.repeat(100_000), () => undefined, 'TOO_LONG'],
    ['x', (peer: Peer) => peer.halfClose(), 'ERR_TLS_CLOSED'],
    ['x', (peer: Peer) => peer.reset(), 'ECONNRESET'],
  ] as const) {
    const backend = await startBackend(t, scripts.greet(answer));
    const result = connectTls(engine, backend.address, { terms, opening: endless });
    await until('it is asked', () => backend.peers[0]?.text === 'TLS?');
    act(backend.peers[0]!);
    t.match(await result, { ok: false, failure: { reason: 'tls', code } });
  }
});

void t.test('an engine without TLS says so by a value', { skip: libc === undefined }, async t => {
  if (libc === undefined) return;
  const now = (): number => performance.now();
  const epoll = createEpollEngine({ libc, clock: STOPPED_CLOCK, now });
  t.teardown(() => epoll.close());
  t.equal(epoll.tls, undefined);
  t.match(await connectTls(epoll, { kind: 'tcp', host: '127.0.0.1', port: 1 }, { terms }), {
    failure: { reason: 'tls', code: 'ENOTSUP' },
  });
});
