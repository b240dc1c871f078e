import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { Address } from '../../../../src/support/address.ts';
import { refusingAddress, startBackend } from '../../../harness/backend.ts';
import { until } from '../../../harness/until.ts';
import { certificateFor, withoutOpenssl } from './certificate.ts';
import { failedWith, PASSED, probeOf, probeOnce, targetOf } from './probing.ts';

async function serve(t: Test, tls: { cert: string; key: string }) {
  const sockets: { socket: TLSSocket; ending: string | undefined }[] = [];
  const errors: string[] = [];
  const server = createServer(tls, socket => {
    const each = { socket, ending: undefined as string | undefined };
    sockets.push(each);
    socket.on('error', (error: Error) => (each.ending = error.message));
    socket.on('end', () => (each.ending ??= 'end')).resume();
    socket.write('hello');
  });
  server.on('tlsClientError', error => errors.push(error.message));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    for (const { socket } of sockets) socket.destroy();
  });
  // A TCP server's address is no text.
  const { port } = server.address() as AddressInfo;
  const address: Address = { kind: 'tcp', host: '127.0.0.1', port };
  return { address, sockets, errors };
}

void t.test('a handshake passes, and ends as a client ends it', { skip: withoutOpenssl }, async t => {
  const tls = await certificateFor(t, 'IP:127.0.0.1');
  const { address, sockets, errors } = await serve(t, tls);
  t.same(await probeOnce(address, { type: 'tls', tls: { ca: tls.path } }), PASSED);
  t.same(await probeOnce(address, { type: 'tls', tls: { verify: false } }), PASSED);
  await until(
    'both have ended',
    () => sockets.length === 2 && sockets.every(({ ending }) => ending !== undefined),
  );
  t.same(
    sockets.map(({ ending }) => ending),
    ['end', 'end'],
  );
  t.same(errors, []);
  await until('nothing stays open', () => sockets.every(({ socket }) => socket.destroyed));
  t.same(await probeOnce(address, { type: 'tls' }), failedWith('certificate: self-signed certificate'));
});

void t.test('what is no TLS, closes, resets or says nothing fails with the reason', async t => {
  const tls = { type: 'tls', interval: '80ms' };
  const plain = await startBackend(t, peer => void peer.send('220 hello\r\n'));
  t.match(await probeOnce(plain.address, tls), { reason: /^no TLS handshake: wrong version number/ });
  const closing = await startBackend(t, peer => peer.socket.once('data', () => peer.socket.end()));
  t.same(await probeOnce(closing.address, tls), failedWith('closed before it answered'));
  const resetting = await startBackend(t, peer => peer.socket.once('data', () => peer.reset()));
  t.match(await probeOnce(resetting.address, tls), {
    reason: /^(reset \(ECONNRESET\)|closed before it answered)$/,
  });
  const mute = await startBackend(t);
  t.same(await probeOnce(mute.address, tls), failedWith('no answer within 80ms'));
  await until('it is gone', () => mute.peers.every(({ ending }) => ending !== undefined));
  t.same(await probeOnce(await refusingAddress(), tls), failedWith('refused (ECONNREFUSED)'));
});

void t.test('a cancelled handshake says nothing and keeps no socket', async t => {
  const mute = await startBackend(t);
  const results: unknown[] = [];
  const cancel = probeOf({ type: 'tls' })(targetOf(mute.address, 'a:1'), each => results.push(each));
  await until('the handshake has begun', () => mute.peers.some(({ receivedBytes }) => receivedBytes > 0));
  cancel();
  await until('it is gone', () => mute.peers.every(({ ending }) => ending !== undefined));
  t.same(results, []);
});

void t.test('a file of authorities that is missing or none is refused when the probe is made', async t => {
  const folder = t.testdir({
    'empty.pem': 'no certificate\n',
    'bad.pem': '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
  });
  const make = (ca: string, type = 'tls') => probeOf({ type, tls: { ca } }, { baseDir: folder });
  const expected = 'upstreams.app.health.tls.ca: expected a PEM file with at least one certificate, got';
  const cases: [string, string][] = [
    ['missing.pem', 'ENOENT'],
    ['empty.pem', 'no certificate in it'],
    ['bad.pem', 'certificate 1 of 1 cannot be read'],
    ['.', 'EISDIR'],
  ];
  for (const [ca, found] of cases) {
    const message = `${expected} ${join(folder, ca)} (${found})`;
    t.throws(() => make(ca), { code: 'LB4_CONFIG_INVALID', message });
    t.throws(() => make(ca, 'http'), { code: 'LB4_CONFIG_INVALID', message });
  }
});

void t.test('a file of authorities is found from the folder given', { skip: withoutOpenssl }, async t => {
  const { cert, folder } = await certificateFor(t, 'IP:127.0.0.1');
  writeFileSync(join(folder, 'two.pem'), `# first\n${cert}# second\n${cert}`);
  t.doesNotThrow(() => probeOf({ type: 'tls', tls: { ca: 'two.pem' } }, { baseDir: folder }));
});
