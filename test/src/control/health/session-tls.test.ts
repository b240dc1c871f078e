/** Checks of an upstream whose sessions speak TLS: they speak it too, with the same settings, whatever their type. */
import { constants } from 'node:crypto';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer, TLSSocket, type TlsOptions } from 'node:tls';
import t, { type Test } from 'tap';
import type { TlsClientSettings } from '../../../../src/engine/tls.ts';
import type { Address } from '../../../../src/support/address.ts';
import { startBackend } from '../../../harness/backend.ts';
import { freePort, startServer } from '../../../harness/programs.ts';
import { until } from '../../../harness/until.ts';
import { certificateFor, withoutOpenssl, type Certificate } from './certificate.ts';
import { failedWith, PASSED, probeOf, probeOnce, targetOf } from './probing.ts';

const skip = withoutOpenssl;
const SSL_REQUEST = Buffer.from('0000000804d2162f', 'hex');

function settings(keys: Partial<TlsClientSettings>): TlsClientSettings {
  return { verify: true, alpn: [], minVersion: 'TLSv1.2', ...keys };
}

const own = ({ cert, key }: Certificate) => ({ id: 'own', chain: cert, key });

async function listen(t: Test, server: Server): Promise<Address> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  // A TCP server's address is no text.
  return { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** A TLS server that notes its clients, and says something to each. */
async function serve(t: Test, options: TlsOptions, greeting = '') {
  const clients: { name: unknown; alpn: unknown; certificate: unknown }[] = [];
  const server = createServer(options, socket => {
    clients.push({
      name: socket.servername,
      alpn: socket.alpnProtocol,
      certificate: socket.getPeerX509Certificate()?.subject,
    });
    socket.on('error', () => undefined).resume();
    if (greeting !== '') socket.write(greeting);
    socket.on('data', () => socket.write('+PONG\r\n'));
  });
  server.on('tlsClientError', () => undefined);
  return { address: await listen(t, server), clients };
}

void t.test(
  'a tcp check becomes a handshake with name, certificate and protocols of sessions',
  { skip },
  async t => {
    const certificate = await certificateFor(t, 'DNS:backend.test');
    const server = await serve(t, {
      ...certificate,
      ...{ ca: certificate.cert, requestCert: true, ALPNProtocols: ['h2'] },
    });
    const ofSessions = settings({
      ...{
        serverName: 'backend.test',
        ca: certificate.cert,
        own: own(certificate),
        alpn: ['h2', 'http/1.1'],
      },
    });
    const check = (keys: object, sessionTls = ofSessions) =>
      probeOnce(server.address, { type: 'tcp', ...keys }, { sessionTls: () => sessionTls });
    t.same(await check({}), PASSED);
    await until('the server has seen it', () => server.clients.length > 0);
    t.same(server.clients, [{ name: 'backend.test', alpn: 'h2', certificate: 'CN=lb4 test' }]);
    t.match(
      await check({}, settings({ ...ofSessions, ca: undefined })),
      failedWith('certificate: self-signed certificate'),
    );
    t.match(await check({}, settings({ ...ofSessions, alpn: ['x'] })), {
      reason: /no application protocol/i,
    });
    t.match(await check({}, settings({ ...ofSessions, serverName: undefined })), {
      reason: "certificate: IP: 127.0.0.1 is not in the cert's list: ",
    });

    const plain = await startBackend(t, peer => void peer.send('220 hello\r\n'));
    const ofPlain = await probeOnce(plain.address, { type: 'tcp' }, { sessionTls: () => ofSessions });
    t.match(
      ofPlain,
      { reason: /^no TLS handshake: wrong version number/ },
      'a backend that accepts is not enough',
    );
  },
);

void t.test(
  'keys of health.tls take the place of those of sessions, and false switches TLS off',
  { skip },
  async t => {
    const certificate = await certificateFor(t, 'DNS:backend.test');
    const { address, clients } = await serve(t, { ...certificate, ca: certificate.cert, requestCert: true });
    const ofSessions = settings({ serverName: 'other.test', ca: certificate.cert, own: own(certificate) });
    const check = (keys: object) =>
      probeOnce(address, { type: 'tcp', ...keys }, { sessionTls: () => ofSessions });
    t.match(await check({}), { reason: /^certificate: Host: other\.test\. is not in/ });
    t.match(await check({ tls: true }), { reason: /^certificate: Host: other\.test\. is not in/ });
    t.same(await check({ tls: { serverName: 'backend.test' } }), PASSED);
    t.same(await check({ tls: { verify: false } }), PASSED);
    t.same(
      await probeOnce(
        address,
        { tls: { verify: false } },
        { sessionTls: () => settings({ own: own(certificate) }) },
      ),
      PASSED,
    );

    const before = clients.length;
    const plain = await startBackend(t);
    const inTheClear = (keys: object) =>
      probeOnce(plain.address, { type: 'tcp', ...keys }, { sessionTls: () => ofSessions });
    t.same(await inTheClear({ tls: false }), PASSED);
    // The configuration's port is that of the address to connect to; what matters is that there is one.
    t.same(await inTheClear({ port: 1 }), PASSED, 'a check at another port is one of something else');
    t.equal(clients.length, before);
  },
);

void t.test('verify: false of sessions holds for checks, which may be stricter', { skip }, async t => {
  const certificate = await certificateFor(t, 'DNS:backend.test');
  const { address } = await serve(t, certificate);
  const check = (keys: object) =>
    probeOnce(address, { type: 'tcp', ...keys }, { sessionTls: () => settings({ verify: false }) });
  t.same(await check({}), PASSED);
  t.match(await check({ tls: { verify: true } }), { reason: /^certificate:/ });
});

void t.test(
  'an http check asks over HTTPS, and offers HTTP/1.1 where sessions offer something',
  { skip },
  async t => {
    const certificate = await certificateFor(t, 'DNS:backend.test');
    const protocols: unknown[] = [];
    const server = createHttpsServer(
      { ...certificate, ALPNProtocols: ['h2', 'http/1.1'] },
      (request, response) => {
        protocols.push(request.socket instanceof TLSSocket && request.socket.alpnProtocol);
        response.end('ok');
      },
    );
    const address = await listen(t, server);
    for (const alpn of [['h2'], []]) {
      const ofSessions = settings({ serverName: 'backend.test', ca: certificate.cert, alpn });
      const keys = { type: 'http', path: '/', body: 'ok' };
      t.same(await probeOnce(address, keys, { sessionTls: () => ofSessions }), PASSED);
    }
    t.same(protocols, ['http/1.1', false]);
  },
);

void t.test('a question is asked inside of TLS, and a greeting is read there', { skip }, async t => {
  const certificate = await certificateFor(t, 'DNS:backend.test');
  const ofSessions = settings({ serverName: 'backend.test', ca: certificate.cert });
  const check = (address: Address, preset: string) =>
    probeOnce(address, { type: 'sendExpect', preset, interval: '2s' }, { sessionTls: () => ofSessions });
  const redis = await serve(t, certificate);
  t.same(await check(redis.address, 'redis'), PASSED);
  const smtp = await serve(t, certificate, '220 mail.test\r\n');
  t.same(await check(smtp.address, 'smtp'), PASSED);
  t.match(await check(smtp.address, 'redis'), { reason: /^answered "220 mail\.test/ });
});

void t.test('a certificate that sessions get anew is that of the next check', { skip }, async t => {
  const [first, second] = [
    await certificateFor(t, 'DNS:backend.test'),
    await certificateFor(t, 'DNS:backend.test'),
  ];
  const { address } = await serve(t, second);
  let now = settings({ serverName: 'backend.test', ca: first.cert });
  const probe = probeOf({ type: 'tcp' }, { sessionTls: () => now });
  const check = () => new Promise(resolve => void probe(targetOf(address, 'backend.test:1'), resolve));
  t.match(await check(), { verdict: 'failed' });
  now = settings({ serverName: 'backend.test', ca: second.cert });
  t.same(await check(), PASSED);
});

/** A server that answers SSLRequest, and then speaks TLS if the answer is S. */
async function servePostgres(t: Test, certificate: Certificate, answer: string | undefined) {
  const tls = await serve(t, certificate);
  const requests: string[] = [];
  const backend = await startBackend(t, peer => {
    const { socket } = peer;
    socket.once('data', (request: Buffer) => {
      requests.push(request.toString('hex'));
      if (answer === undefined) return;
      if (answer === '') socket.end();
      else socket.write(answer, 'latin1');
      if (answer !== 'S') return;
      const { port } = tls.address as { port: number };
      const inner: Socket = connect({ port, host: '127.0.0.1' });
      inner.on('error', () => socket.destroy());
      socket.on('error', () => inner.destroy());
      socket.pipe(inner).pipe(socket);
    });
  });
  return { ...backend, requests, clients: tls.clients };
}

void t.test(
  'with starttls: postgres TLS is asked for first, and what is no S fails the check',
  { skip },
  async t => {
    const certificate = await certificateFor(t, 'DNS:db.test');
    const ofSessions = settings({ serverName: 'db.test', ca: certificate.cert, starttls: 'postgres' });
    const outcome = async (answer: string | undefined, keys: object = { type: 'tcp' }) => {
      const server = await servePostgres(t, certificate, answer);
      const result = await probeOnce(
        server.address,
        { interval: '200ms', ...keys },
        { sessionTls: () => ofSessions },
      );
      return { result, ...server };
    };
    const good = await outcome('S', { type: 'tcp', interval: '5s' });
    t.same(good.result, PASSED);
    t.same(good.requests, [SSL_REQUEST.toString('hex')]);
    t.match(good.clients, [{ name: 'db.test' }]);
    const preset = await outcome('S', { type: 'sendExpect', preset: 'postgres', interval: '5s' });
    t.same(preset.result, PASSED, 'the preset has its answer by then');
    t.same(preset.requests, [SSL_REQUEST.toString('hex')]);
    const question = await outcome('S', { type: 'sendExpect', send: 'PING', expect: 'PONG', interval: '5s' });
    t.same(question.result, PASSED, 'a question of your own is asked inside');

    t.same((await outcome('N')).result, failedWith('no TLS: NO_TLS'));
    t.same((await outcome('S\x16')).result, failedWith('no TLS: EARLY_DATA'));
    t.same((await outcome('HTTP/1.1 400')).result, failedWith('no TLS: NOT_POSTGRES'));
    t.same(
      (await outcome('Eno more processes\0')).result,
      failedWith('no TLS: SERVER_ERROR: no more processes'),
    );
    t.same((await outcome('')).result, failedWith('closed before it answered'));
    t.same((await outcome(undefined)).result, failedWith('no answer within 200ms'));
  },
);

void t.test(
  'a server that refuses the certificate after the handshake fails the check',
  { skip },
  async t => {
    const certificate = await certificateFor(t, 'DNS:backend.test');
    const other = await certificateFor(t, 'DNS:other.test');
    const port = await freePort();
    const files = ['-cert', certificate.path, '-key', `${certificate.folder}/key.pem`];
    const demands = ['-CAfile', certificate.path, '-Verify', '1', '-verify_return_error'];
    await startServer(t, 'openssl', ['s_server', '-accept', `${port}`, '-quiet', ...files, ...demands], port);
    const check = (ownCertificate?: Certificate) => {
      const ofSessions = settings({
        ...{ serverName: 'backend.test', ca: certificate.cert },
        own: ownCertificate && own(ownCertificate),
      });
      const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
      return probeOnce(address, { type: 'tcp' }, { sessionTls: () => ofSessions });
    };
    t.same(await check(certificate), PASSED);
    t.match(await check(), { reason: /^certificate: .*certificate required/ });
    t.match(await check(other), { reason: /unknown ca|bad certificate/ });
  },
);

void t.test('a handshake that took nearly all of the time has passed when it is over', { skip }, async t => {
  const certificate = await certificateFor(t, 'DNS:backend.test');
  // No tickets, and no end: nothing says that the certificate was taken.
  const options = {
    ...certificate,
    maxVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET,
  } as const;
  const { address } = await serve(t, { ...options, allowHalfOpen: true });
  const timers: { run: () => void; ms: number }[] = [];
  const probe = probeOf(
    { type: 'tls', tls: { verify: false }, timeout: '1s' },
    {
      setTimer: (run, ms) => {
        timers.push({ run, ms });
        return () => undefined;
      },
    },
  );
  const results: unknown[] = [];
  probe(targetOf(address, 'backend.test:1'), each => results.push(each));
  await until('lb4 waits for an alert', () => timers.some(({ ms }) => ms === 200));
  for (const { run, ms } of timers) if (ms === 1_000) run();
  t.same(results, [PASSED]);
});
