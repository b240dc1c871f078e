/** TLS with clients: which certificate, which protocol, who is let in, and who goes on with a ticket. */
import { connect as connectTcp } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import t, { type Test } from 'tap';

import type { ServerOpening, TlsServerSettings } from '../../../../src/engine/tls.ts';
import { listen } from '../../../contracts/engine/fixture.ts';
import { connectClient } from '../../../harness/client.ts';
import type { Peer } from '../../../harness/peer.ts';
import { runProgram } from '../../../harness/programs.ts';
import '../../../harness/run-once.ts';
import { createAuthority, withoutOpenssl } from '../../../harness/tls-authority.ts';
import { connectTlsClient, type TlsPeer } from '../../../harness/tls-peer.ts';
import { until } from '../../../harness/until.ts';
import {
  authority,
  certificate,
  listenTls,
  newEngine,
  serverSettings,
  untilResult,
  type Accepted,
} from './fixture.ts';

const skip = withoutOpenssl;

interface Met {
  readonly peer: TlsPeer;
  readonly result: Accepted;
}

/** One client, and what the engine says of it. */
async function meet(
  t: Test,
  settings: Partial<TlsServerSettings>,
  options: ConnectionOptions = {},
  engine = newEngine(),
): Promise<Met> {
  const { address, results } = await listenTls(t, engine, serverSettings(settings));
  const peer = await connectTlsClient(t, address, options);
  return { peer, result: await untilResult(results) };
}

function factsOf({ result }: Met): NonNullable<Extract<Accepted, { ok: true }>['facts']> {
  if (!result.ok || result.facts === undefined) throw new Error(JSON.stringify(result));
  return result.facts;
}

void t.test(
  'a client gets the certificate for its name, then that for `*.`, else the first',
  { skip },
  async t => {
    const certificates = [
      authority.issue('first.test', 'DNS:first.test'),
      authority.issue('wild.test', 'DNS:*.wild.test', { keys: 'rsa' }),
      authority.issue('exact', 'DNS:a.wild.test'),
    ];
    for (const [name, expected] of [
      ['first.test', 'first.test'],
      ['A.Wild.test', 'exact'],
      ['b.wild.test', 'wild.test'],
      ['c.b.wild.test', 'first.test'],
      ['wild.test', 'first.test'],
      ['unknown.test', 'first.test'],
      [undefined, 'first.test'],
    ] as const) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const met = await meet(t, { certificates }, { ...(name && { servername: name }), maxVersion });
        await met.peer.untilSecure();
        t.equal(met.peer.tls.getPeerCertificate().subject.CN, expected, `${name} with ${maxVersion}`);
        t.equal(factsOf(met).serverName, name?.toLowerCase());
      }
    }
  },
);

void t.test('a certificate of terms before is not read again', { skip }, async t => {
  const { tls } = newEngine();
  const many = Array.from({ length: 200 }, (_, n) => ({ ...certificate, id: `${n}`, names: [`${n}.test`] }));
  const spent = (certificates: TlsServerSettings['certificates']): number => {
    const before = process.cpuUsage();
    tls.serverTerms(serverSettings({ certificates }));
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const all = [tls.serverTerms(serverSettings({ certificates: many }))];
  const [first, ...rest] = many;
  const again = spent([{ ...first!, id: 'renewed' }, ...rest]);
  const afresh = spent(many.map(each => ({ ...each, id: `other ${each.id}` })));
  t.ok(again < afresh / 4, `${again} µs for one, ${afresh} µs for all`);
  t.equal(all.length, 1);
});

void t.test('the server chooses among the protocols; whoever shares none is refused', { skip }, async t => {
  const alpn = ['h2', 'http/1.1'];
  const both = await meet(t, { alpn }, { ALPNProtocols: ['http/1.1', 'h2'] });
  t.equal(factsOf(both).alpn, 'h2');
  const none = await meet(t, { alpn });
  t.equal(factsOf(none).alpn, undefined, 'a client that offers none goes on');
  const ignored = await meet(t, { alpn: [] }, { ALPNProtocols: ['h2'] });
  t.equal(factsOf(ignored).alpn, undefined);
  const { peer, result } = await meet(t, { alpn }, { ALPNProtocols: ['imap'] });
  t.match(result, { ok: false, failure: { reason: 'handshake', code: 'ERR_SSL_NO_APPLICATION_PROTOCOL' } });
  await until('the client has the alert', () => peer.error !== undefined);
  t.equal(peer.error, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
});

void t.test('versions below the lowest, and ciphers that are not offered, are refused', { skip }, async t => {
  const old = await meet(t, { minVersion: 'TLSv1.3' }, { maxVersion: 'TLSv1.2' });
  t.match(old.result, { ok: false, failure: { reason: 'handshake', code: 'ERR_SSL_UNSUPPORTED_PROTOCOL' } });
  const weak = await meet(t, {}, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' });
  t.match(weak.result, { ok: false, failure: { reason: 'handshake', code: 'ERR_SSL_NO_SHARED_CIPHER' } });
  const ciphers = 'ECDHE-ECDSA-AES256-GCM-SHA384';
  const chosen = await meet(t, { ciphers }, { maxVersion: 'TLSv1.2' });
  t.match(factsOf(chosen), { version: 'TLSv1.2', cipher: ciphers });
  t.match(factsOf(await meet(t, { ciphers })), { version: 'TLSv1.3' }, 'those of TLS 1.3 are apart');
});

void t.test('a client certificate is verified where it is asked for', { skip }, async t => {
  const good = authority.issue('alice', 'DNS:alice.test', { extended: 'clientAuth' });
  const stranger = createAuthority(t, 'somebody else').issue('mallory', 'DNS:mallory.test');
  const own = ({ chain, key }: typeof good): ConnectionOptions => ({ cert: chain, key });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const isRequired of [true, false]) {
      const clients = { ca: authority.ca, isRequired };
      const name = `${maxVersion}, ${isRequired ? 'required' : 'optional'}`;
      const alice = await meet(t, { clients }, { maxVersion, ...own(good) });
      t.strictSame(factsOf(alice).certificate, { name: 'alice', subject: 'O=lb4, CN=alice' }, name);
      const mallory = await meet(t, { clients }, { maxVersion, ...own(stranger) });
      t.match(mallory.result, { ok: false, failure: { reason: 'certificate' } }, `${name}: a bad one`);
      const nobody = await meet(t, { clients }, { maxVersion });
      if (isRequired) {
        const code = 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE';
        t.match(nobody.result, { ok: false, failure: { reason: 'certificate', code } }, name);
      } else {
        t.equal(factsOf(nobody).certificate, undefined, name);
      }
    }
  }
  const unasked = await meet(t, {}, own(good));
  t.equal(factsOf(unasked).certificate, undefined, 'what is not verified is not shown');
});

void t.test('a client is called by the name that its authority has written, no other', { skip }, async t => {
  const clients = { ca: authority.ca, isRequired: true };
  const nameOf = async (commonName: string, names: string): Promise<string | undefined> => {
    const { chain, key } = authority.issue(commonName, names, { extended: 'clientAuth' });
    return factsOf(await meet(t, { clients }, { cert: chain, key })).certificate?.name;
  };
  for (const name of ['Doe, John', '#1 "a" <b>; c', 'two\nlines']) {
    t.equal(await nameOf(name, 'DNS:alice.test'), name);
  }
  t.equal(
    await nameOf('', 'URI:http://DNS:mallory.test,DNS:alice.test'),
    'alice.test',
    'without a common name',
  );
});

/** A client that waits for a ticket, and goes on with it at another listener. */
async function resume(
  t: Test,
  maxVersion: 'TLSv1.2' | 'TLSv1.3',
  first: Partial<TlsServerSettings>,
  second: Partial<TlsServerSettings>,
  options: ConnectionOptions = {},
): Promise<Met> {
  let ticket: Buffer | undefined;
  const { address } = await listenTls(t, newEngine(), serverSettings(first));
  const peer = await connectTlsClient(t, address, { maxVersion, ...options });
  peer.tls.on('session', (session: Buffer) => (ticket = session));
  await until('there is a ticket', () => ticket !== undefined);
  return await meet(t, second, { maxVersion, session: ticket!, ...options });
}

void t.test(
  'a session goes on at another engine with the same keys, and at none with others',
  { skip },
  async t => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const same = await resume(t, maxVersion, {}, {});
      t.equal(factsOf(same).isResumed, true, maxVersion);
      const others = await resume(t, maxVersion, {}, { ticketKeys: Buffer.alloc(48, 8) });
      t.equal(factsOf(others).isResumed, false, maxVersion);
    }
  },
);

void t.test(
  'a ticket of a listener that asks for no certificate does not help at one that does',
  { skip },
  async t => {
    const clients = { ca: authority.ca, isRequired: true };
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { result } = await resume(t, maxVersion, {}, { clients });
      t.match(result, { ok: false, failure: { reason: 'certificate' } }, maxVersion);
    }
    const { chain: cert, key } = authority.issue('alice', 'DNS:alice.test');
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const met = await resume(t, maxVersion, { clients }, { clients }, { cert, key });
      t.match(
        factsOf(met),
        { isResumed: true, certificate: { name: 'alice' } },
        'and one that it asked for does',
      );
    }
  },
);

void t.test('an OCSP response is stapled for clients that ask', { skip }, async t => {
  const [first, second] = [
    authority.issue('first', 'DNS:first.test'),
    authority.issue('second', 'DNS:second.test'),
  ];
  const [ocsp, other] = [authority.ocspFor(first), authority.ocspFor(second)];
  const bare = authority.issue('bare', 'DNS:bare.test');
  const certificates = [{ ...first, ocsp }, { ...second, ocsp: other }, bare];
  for (const [servername, expected] of [
    ['first.test', ocsp],
    ['second.test', other],
    ['bare.test', null],
    [undefined, ocsp],
  ] as const) {
    let response: unknown;
    const { address } = await listenTls(t, newEngine(), serverSettings({ certificates }));
    // Missing in Node's types.
    const asks = { requestOCSP: true, ...(servername && { servername }) };
    const peer = await connectTlsClient(t, address, asks);
    peer.tls.on('OCSPResponse', (bytes: unknown) => (response = bytes));
    await peer.untilSecure();
    if (expected === null) t.notOk(response, servername);
    else t.strictSame(response, Buffer.from(expected), `${servername}`);
  }
});

void t.test('no client makes the server negotiate again', { skip }, async t => {
  const { address } = await listenTls(t, newEngine());
  const port = address.kind === 'tcp' ? address.port : 0;
  const client = ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_2', '-legacy_server_connect'];
  const { stderr, stdout } = await runProgram('openssl', client, { input: 'R\n', timeoutMs: 5_000 });
  t.match(`${stdout}${stderr}`, /no renegotiation/);
});

void t.test('bytes right behind the handshake wait for the owner of the connection', { skip }, async t => {
  const { address, results } = await listenTls(t, newEngine());
  const peer = await connectTlsClient(t, address);
  void peer.send('early');
  const result = await untilResult(results);
  if (!result.ok) return;
  const seen = await new Promise<string>(resolve =>
    result.connection.peek(100, bytes => {
      if (bytes.length === 5) resolve(Buffer.from(bytes).toString());
    }),
  );
  t.equal(seen, 'early');
});

/** Asks twice, then TLS; or stays in the clear, or refuses. */
function opening(): ServerOpening {
  return {
    read(bytes) {
      const text = Buffer.from(bytes).toString('latin1');
      if (text.startsWith('GSS?')) return { kind: 'again', take: 4, answer: Buffer.from('N') };
      if (text.startsWith('TLS?')) return { kind: 'tls', take: 4, answer: Buffer.from('S') };
      if (text.startsWith('CLR!')) return { kind: 'clear' };
      if (text.startsWith('BAD!')) return { kind: 'refuse', code: 'BAD', answer: Buffer.from('go away') };
      return { kind: 'more', bytes: 4 };
    },
  };
}

void t.test('TLS begins behind what comes before it in the clear', { skip }, async t => {
  const { address, results } = await listenTls(t, newEngine(), serverSettings(), opening);
  if (address.kind === 'unix') return;
  for (const questions of [['GSS?', 'TLS?'], ['GSS?TLS?'], ['G', 'SS?T', 'LS?']]) {
    const tcp = connectTcp({ port: address.port, host: address.host });
    t.teardown(() => tcp.destroy());
    let answers = '';
    tcp.on('data', function hear(chunk: Buffer) {
      answers += chunk.toString();
      if (!answers.endsWith('S')) return;
      tcp.off('data', hear);
      tcp.pause();
    });
    for (const question of questions) {
      tcp.write(question);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    await until('both are answered', () => answers === 'NS');
    const secure = connect({ socket: tcp, rejectUnauthorized: false });
    secure.on('error', () => undefined);
    const before = results.length;
    t.match(await untilResult(results, before), { ok: true, facts: { version: 'TLSv1.3' } });
  }
});

void t.test('an opening may leave the client in the clear, with all its bytes, or refuse it', async t => {
  const { address, results } = await listenTls(t, newEngine(), serverSettings(), opening);
  const plain = await connectClient(t, address);
  await plain.send('CLR! and more');
  const clear = await untilResult(results);
  t.match(clear, { ok: true, facts: undefined });
  if (!clear.ok) return;
  const shown = await new Promise<string>(resolve =>
    clear.connection.peek(100, bytes => resolve(Buffer.from(bytes).toString())),
  );
  t.equal(shown, 'CLR! and more');

  const bad = await connectClient(t, address);
  await bad.send('BAD!');
  t.match(await untilResult(results, 1), { ok: false, failure: { reason: 'starttls', code: 'BAD' } });
  t.equal(await bad.untilEnded(), 'fin');
  t.equal(bad.text, 'go away');

  const gone = await connectClient(t, address);
  await gone.send('T');
  gone.halfClose();
  t.match(await untilResult(results, 2), { ok: false, failure: { reason: 'closed' } });
});

/** Never content. */
const greedy = (bytes: number): ServerOpening => ({ read: () => ({ kind: 'more', bytes }) });

void t.test('a client that ends, resets, or says too much before TLS is a failure', async t => {
  for (const [asked, act, failure] of [
    [4, (peer: Peer) => peer.halfClose(), { reason: 'closed' }],
    [4, (peer: Peer) => peer.reset(), { reason: 'reset' }],
    [4, (peer: Peer) => peer.send('x'.repeat(100_000)), { reason: 'starttls', code: 'TOO_LONG' }],
    [1_000_000, (peer: Peer) => peer.send('x'), { reason: 'starttls', code: 'TOO_LONG' }],
  ] as const) {
    const { address, results } = await listenTls(t, newEngine(), serverSettings(), () => greedy(asked));
    const peer = await connectClient(t, address);
    await peer.send('T');
    void act(peer);
    t.match(await untilResult(results), { ok: false, failure });
  }
});

void t.test(
  'with several certificates the name is read first, from a whole hello or from none',
  { skip },
  async t => {
    const certificates = [certificate, authority.issue('second.test', 'DNS:second.test')];
    const hello = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);
    for (const [act, failure] of [
      [(peer: Peer) => peer.halfClose(), { reason: 'closed' }],
      [(peer: Peer) => peer.reset(), { reason: 'reset' }],
    ] as const) {
      const { address, results } = await listenTls(t, newEngine(), serverSettings({ certificates }));
      const peer = await connectClient(t, address);
      await peer.send(hello);
      await new Promise(resolve => setTimeout(resolve, 20));
      act(peer);
      t.match(await untilResult(results), { ok: false, failure });
    }
    const { address, results } = await listenTls(t, newEngine(), serverSettings({ certificates }));
    const peer = await connectClient(t, address);
    await peer.send('GET / HTTP/1.1\r\n\r\n');
    t.match(await untilResult(results), { ok: false, failure: { reason: 'handshake' } });
  },
);

void t.test('a cancel before TLS has begun resets the client', async t => {
  const engine = newEngine();
  const terms = engine.tls.serverTerms(serverSettings());
  const { listener, clients } = await listen(t, engine);
  const peer = await connectClient(t, listener.address);
  await until('it is accepted', () => clients.length === 1);
  const cancel = engine.tls.accept(clients[0]!, terms, greedy(4), () => t.fail('it is not called'));
  await peer.send('T');
  cancel();
  cancel();
  t.equal(await peer.untilEnded(), 'reset');
});
