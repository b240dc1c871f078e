import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Address } from '../../../../src/support/address.ts';
import { refusingAddress, startBackend, startDeafBackend, type Script } from '../../../harness/backend.ts';
import { temporaryFolder } from '../../../harness/temporary-folder.ts';
import { until } from '../../../harness/until.ts';
import { certificateFor, withoutOpenssl } from './certificate.ts';
import { failedWith, openSockets, PASSED, probeOf, probeOnce, targetOf } from './probing.ts';

const HTTP = { type: 'http' };
const QUICK = { type: 'http', interval: '60ms' };

async function serve(
  t: Test,
  listener: RequestListener,
  tls?: { cert: string; key: string },
  path?: string,
): Promise<Address> {
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>(resolve => {
    if (path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  if (path !== undefined) return { kind: 'unix', path };
  // A TCP server's address is no text.
  return { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** Answers raw bytes once a request has come. */
const raw =
  (answer: string): Script =>
  peer =>
    peer.socket.once('data', () => void peer.send(answer));

void t.test('asks with method, path and host, on a connection of its own, and says so', async t => {
  const seen: unknown[] = [];
  const address = await serve(t, ({ method, url, headers, socket }, response) => {
    seen.push({
      method,
      url,
      host: headers.host,
      close: headers.connection,
      length: headers['content-length'],
    });
    t.ok(socket);
    response.end();
  });
  t.same(await probeOnce(address, HTTP, { backend: 'app.internal:80' }), PASSED);
  const keys = { ...HTTP, method: 'POST', path: '/up?x=1', host: 'h.test' };
  t.same(await probeOnce(address, keys), PASSED);
  t.same(seen, [
    { method: 'GET', url: '/', host: 'app.internal:80', close: 'close', length: undefined },
    { method: 'POST', url: '/up?x=1', host: 'h.test', close: 'close', length: '0' },
  ]);
});

void t.test('a unix socket is as good, and is asked as localhost', async t => {
  const folder = temporaryFolder(t);
  let host: string | undefined;
  const listener: RequestListener = ({ headers }, response) => {
    host = headers.host;
    response.end();
  };
  const address = await serve(t, listener, undefined, join(folder, 's'));
  t.same(await probeOnce(address, HTTP), PASSED);
  t.equal(host, 'localhost');
});

void t.test('200 to 399 pass, redirects unfollowed; other statuses fail, unless asked for', async t => {
  let status = 200;
  let requests = 0;
  const address = await serve(t, (_, response) => {
    requests += 1;
    response.writeHead(status, { location: '/elsewhere' }).end('body');
  });
  const verdicts: Record<number, string> = {};
  for (status of [200, 204, 302, 304, 399, 400, 503]) {
    const result = await probeOnce(address, HTTP);
    verdicts[status] = result.verdict === 'failed' ? result.reason : result.verdict;
  }
  t.same(verdicts, {
    200: 'passed',
    204: 'passed',
    302: 'passed',
    304: 'passed',
    399: 'passed',
    400: 'status 400',
    503: 'status 503',
  });
  t.equal(requests, 7);
  status = 200;
  t.same(await probeOnce(address, { ...HTTP, status: '204, 500-503' }), failedWith('status 200'));
  status = 503;
  t.same(await probeOnce(address, { ...HTTP, status: '204, 500-503' }), PASSED);
});

void t.test('HEAD, and answers that come before the final one, are understood', async t => {
  const address = await serve(t, (_, response) => {
    response.writeProcessing();
    response.end('never sent');
  });
  t.same(await probeOnce(address, { ...HTTP, method: 'HEAD' }), PASSED);
  t.same(await probeOnce(address, HTTP), PASSED);
  const switching = await startBackend(
    t,
    raw('HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
  );
  t.same(await probeOnce(switching.address, HTTP), failedWith('status 101'));
  t.same(await probeOnce(switching.address, { ...HTTP, status: '101' }), PASSED);
  await until('they are gone', () => switching.peers.every(({ ending }) => ending !== undefined));
});

void t.test(
  'a text in the body passes as soon as it has come, across chunks and in a body without end',
  async t => {
    const address = await serve(t, (_, response) => {
      response.write('xxx gr');
      setTimeout(() => response.write(Buffer.from('öße').subarray(0, 1)), 5);
      setTimeout(() => response.write(Buffer.from('öße xxx').subarray(1)), 10);
    });
    t.same(await probeOnce(address, { ...HTTP, body: 'größe' }), PASSED);
    await until('the connection is destroyed all the same', () => openSockets() === 0);
  },
);

void t.test('a body that has it not, or only behind 64 KiB, fails', async t => {
  const missing = await serve(t, (_, response) => response.end('all well'));
  t.same(await probeOnce(missing, { ...HTTP, body: 'ok' }), failedWith('"ok" not in the body'));
  const late = await serve(t, (_, response) => response.end(`${'x'.repeat(65_535)}ok`));
  t.same(
    await probeOnce(late, { ...HTTP, body: 'ok' }),
    failedWith('"ok" not in the first 64 KiB of the body'),
  );
  const just = await serve(t, (_, response) => response.end(`${'x'.repeat(65_534)}ok`));
  t.same(await probeOnce(just, { ...HTTP, body: 'ok' }), PASSED);
  t.same(await probeOnce(just, { ...HTTP, body: 'ok', status: '500' }), failedWith('status 200'));
});

void t.test('a flood of a body is cut off, not swallowed', async t => {
  let isClosed = false;
  let bytes = 0;
  const address = await serve(t, (_, response) => {
    const more = (): void => {
      if (!isClosed) response.write('y'.repeat(100_000), () => setImmediate(more));
    };
    response.on('close', () => {
      bytes = response.socket?.bytesWritten ?? Infinity;
      isClosed = true;
    });
    more();
  });
  for (const keys of [HTTP, { ...HTTP, body: 'ok' }]) {
    isClosed = false;
    t.match(await probeOnce(address, keys), { verdict: keys === HTTP ? 'passed' : 'failed' });
    await until('the flood has ended', () => isClosed);
    // What fits into the buffers of both kernels, and no more.
    t.ok(bytes < 20_000_000, `${bytes} bytes were sent`);
  }
});

void t.test('late and half answers fail by the one timeout', async t => {
  const mute = await startBackend(t);
  t.same(await probeOnce(mute.address, QUICK), failedWith('no answer within 60ms'));
  const half = await startBackend(t, raw('HTTP/1.1 200 OK\r\nContent-Le'));
  t.same(await probeOnce(half.address, QUICK), failedWith('no answer within 60ms'));
  const body = await startBackend(t, raw('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'));
  t.same(await probeOnce(body.address, { ...QUICK, body: 'ok' }), failedWith('no answer within 60ms'));
  t.same(await probeOnce(body.address, QUICK), PASSED, 'the status alone is an answer');
  const deaf = await startDeafBackend(t);
  const results = await Promise.all(Array.from({ length: 5 }, () => probeOnce(deaf, QUICK)));
  for (const result of results) t.same(result, failedWith('no answer within 60ms'));
  await until('nothing stays open', () =>
    [mute, half, body].every(({ peers }) => peers.every(({ ending }) => ending !== undefined)),
  );
});

void t.test('what is no HTTP, or breaks off, fails with the reason', async t => {
  const cases: [Script, string | RegExp][] = [
    [raw('SSH-2.0-OpenSSH\r\n'), /^no HTTP answer: Expected HTTP/],
    [raw('\u001b[31m\r\n'), /^no HTTP answer: /],
    [raw(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`), 'headers of more than 16 KiB'],
    [peer => peer.socket.once('data', () => peer.socket.end()), 'closed before it answered'],
    [peer => peer.socket.once('data', () => peer.reset()), 'reset (ECONNRESET)'],
    [
      peer =>
        peer.socket.once('data', () => peer.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')),
      'broke off in the middle of the body',
    ],
  ];
  for (const [script, reason] of cases) {
    const { address } = await startBackend(t, script);
    t.match(await probeOnce(address, { ...HTTP, body: 'ok' }), { verdict: 'failed', reason });
  }
  t.same(await probeOnce(await refusingAddress(), HTTP), failedWith('refused (ECONNREFUSED)'));
  t.same(await probeOnce({ kind: 'unix', path: '/nowhere' }, HTTP), failedWith('refused (ENOENT)'));
});

void t.test('a cancelled probe says nothing and keeps no socket, whenever it is cancelled', async t => {
  const backend = await startBackend(t, raw('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'));
  const probe = probeOf({ ...HTTP, body: 'ok' });
  const results: unknown[] = [];
  const start = () => probe(targetOf(backend.address, 'a:1'), result => results.push(result));
  start()();
  const second = start();
  await until('the request has come', () => backend.peers.some(({ receivedBytes }) => receivedBytes > 0));
  second();
  second();
  await until(
    'all are gone',
    () => openSockets() === 0 && backend.peers.every(({ ending }) => ending !== undefined),
  );
  t.same(results, []);
});

void t.test(
  'HTTPS: by the authorities given, by the name, or unverified',
  { skip: withoutOpenssl },
  async t => {
    const tls = await certificateFor(t, 'DNS:backend.test,IP:127.0.0.1');
    const names: unknown[] = [];
    const address = await serve(
      t,
      ({ socket }, response) => {
        names.push('servername' in socket ? socket.servername : undefined);
        response.end('ok');
      },
      tls,
    );
    const ca = tls.path;
    const https = (keys: object) => ({ ...HTTP, body: 'ok', tls: keys });
    t.same(
      await probeOnce(address, https({ ca })),
      PASSED,
      'the address of the backend is in the certificate',
    );
    t.same(await probeOnce(address, https({ ca }), { backend: 'backend.test:443' }), PASSED);
    t.same(await probeOnce(address, https({ verify: false, serverName: 'other.test' })), PASSED);
    t.same(names, [false, 'backend.test', 'other.test'], 'a name is sent as SNI, an address is not');
    t.same(
      await probeOnce(address, { ...HTTP, tls: true }),
      failedWith('certificate: self-signed certificate'),
    );
    t.match(await probeOnce(address, https({ ca, serverName: 'other.test' })), {
      reason: /^certificate: Host: other\.test\. is not in the cert's altnames/,
    });
    t.match(await probeOnce(address, https({ ca }), { backend: '10.1.2.3:443' }), {
      reason: /^certificate: IP: 10\.1\.2\.3 is not in the cert's list/,
    });
    t.match(await probeOnce(address, HTTP), { verdict: 'failed' }, 'plain HTTP to a TLS server');
    const plain = await serve(t, (_, response) => response.end('ok'));
    t.match(await probeOnce(plain, https({ ca })), { reason: /^no TLS handshake: / });
  },
);
