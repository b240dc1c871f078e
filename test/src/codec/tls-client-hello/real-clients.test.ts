/** What openssl, curl and Node send first, caught at a socket. */
import { spawn } from 'node:child_process';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import t, { type Test } from 'tap';
import { parseClientHello } from '../../../../src/codec/tls-client-hello/index.ts';
import { captured } from '../../../harness/client-hello.ts';
import { find, skipWithout } from '../../../harness/programs.ts';

const isEnough = (bytes: Buffer) => parseClientHello(bytes).kind !== 'incomplete';

/** Whole, and cut anywhere. */
async function helloOf(t: Test, connect: (port: number) => void) {
  const bytes = await captured(t, connect, isEnough);
  const parsed = parseClientHello(bytes);
  if (parsed.kind !== 'hello') throw new Error(`${JSON.stringify(parsed)} of ${bytes.toString('hex')}`);
  t.equal(parsed.bytes, bytes.length, 'a client sends nothing behind it');
  for (let length = 0; length < bytes.length; length++)
    if (parseClientHello(bytes.subarray(0, length)).kind !== 'incomplete') t.fail(`cut at ${length}`);
  return parsed.hello;
}

const program = (name: string, args: (port: number) => readonly string[]) => (t: Test) =>
  helloOf(t, port => {
    const child = spawn(find(name) ?? name, args(port), { stdio: 'ignore' });
    t.teardown(() => child.kill('SIGKILL'));
  });
const openssl = (...args: readonly string[]) =>
  program('openssl', port => ['s_client', '-connect', `127.0.0.1:${port}`, ...args]);
const curl = (host: string, ...args: readonly string[]) =>
  program('curl', port => [
    '-sk',
    '--max-time',
    '10',
    '--connect-to',
    `${host}:443:127.0.0.1:${port}`,
    ...args,
    `https://${host}/`,
  ]);
const node = (options: ConnectionOptions) => (t: Test) =>
  helloOf(t, port => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
  });

void t.test('openssl s_client', { skip: skipWithout('openssl') }, async t => {
  const hello = await openssl('-servername', 'Api.Example.test', '-alpn', 'h2,http/1.1')(t);
  t.match(hello, { serverName: 'api.example.test', alpn: ['h2', 'http/1.1'] });
  // Which old ones it offers is its packager's decision.
  t.same(hello.versions.slice(0, 2), [0x0304, 0x0303]);
  t.match(await openssl('-noservername', '-tls1_2')(t), {
    serverName: undefined,
    alpn: [],
    versions: [0x0303],
  });
  t.match(await openssl('-servername', 'acme.test', '-alpn', 'acme-tls/1')(t), { alpn: ['acme-tls/1'] });
});

void t.test('openssl in records of 512 bytes', { skip: skipWithout('openssl') }, async t => {
  const protocols = Array.from({ length: 200 }, (_, i) => `protocol-${i}`);
  const args = ['-servername', 'a.test', '-alpn', protocols.join(','), '-max_send_frag', '512'];
  t.match(await openssl(...args)(t), { serverName: 'a.test', alpn: protocols });
});

void t.test('curl', { skip: skipWithout('curl') }, async t => {
  t.match(await curl('web.example.test')(t), { serverName: 'web.example.test', alpn: ['h2', 'http/1.1'] });
  t.match(await curl('web.example.test.', '--http1.1')(t), {
    serverName: 'web.example.test',
    alpn: ['http/1.1'],
  });
  t.match(await curl('192.0.2.1')(t), { serverName: undefined });
});

void t.test("Node's tls", async t => {
  t.same(await node({ servername: 'node.example.test', ALPNProtocols: ['h2'] })(t), {
    serverName: 'node.example.test',
    alpn: ['h2'],
    versions: [0x0304, 0x0303],
  });
  t.match(await node({ maxVersion: 'TLSv1.2' })(t), { serverName: undefined, versions: [0x0303] });
  const many = Array.from({ length: 400 }, (_, i) => `a-protocol-with-a-long-name-${i}`);
  t.match(await node({ servername: 'long.test', ALPNProtocols: many })(t), { alpn: many });
});
