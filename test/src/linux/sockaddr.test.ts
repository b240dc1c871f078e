/** Socket addresses as the kernel reads and writes them, against the kernel and Node. */
import { createServer } from 'node:net';
import { endianness, networkInterfaces } from 'node:os';
import t, { type Test } from 'tap';

import * as abi from '../../../src/linux/abi.ts';
import { loadLibc } from '../../../src/linux/libc.ts';
import { encodeAddress, hostOf, portOf } from '../../../src/linux/sockaddr.ts';
import type { Address } from '../../../src/support/address.ts';
import { connectTo, listen } from '../../contracts/engine/fixture.ts';
import { startBackend } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import { newEpollEngine } from '../../harness/epoll-engine.ts';
import { until } from '../../harness/until.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;
const TOO_LONG: Address = { kind: 'unix', path: `/tmp/${'x'.repeat(200)}` };

void t.test('an address comes back as it was written', { skip: endianness() === 'BE' }, t => {
  for (const [host, bytes] of [
    ['192.0.2.7', 16],
    ['2001:db8::7', 28],
    ['::', 28],
  ] as const) {
    const encoded = encodeAddress({ kind: 'tcp', host, port: 65_432 });
    t.equal(encoded.bytes.length, bytes);
    t.equal(encoded.bytes.readUInt16LE(0), encoded.family);
    t.equal(hostOf(encoded.bytes), host);
    t.equal(portOf(encoded.bytes), 65_432);
  }
  const mapped = encodeAddress({ kind: 'tcp', host: '::ffff:192.0.2.7', port: 1 });
  t.equal(mapped.family, abi.AF_INET6);
  t.equal(hostOf(mapped.bytes), '192.0.2.7', 'a mapped address is shown as IPv4');
  t.end();
});

void t.test('a link-local address carries its scope, by number or by name', t => {
  const scopeOf = (host: string): number =>
    encodeAddress({ kind: 'tcp', host, port: 1 }).bytes.readUInt32LE(24);
  t.equal(scopeOf('fe80::1%7'), 7);
  t.equal(scopeOf('fe80::1'), 0);
  t.equal(scopeOf('fe80::1%no-such-interface'), 0);
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    const scoped = addresses?.find(each => each.address.startsWith('fe80:'));
    const scopeid = scoped?.family === 'IPv6' ? scoped.scopeid : undefined;
    if (scopeid !== undefined) t.equal(scopeOf(`fe80::1%${name}`), scopeid, name);
  }
  t.end();
});

void t.test('an abstract name begins with a NUL, and ends with the address', t => {
  const { bytes } = encodeAddress({ kind: 'unix', path: '@lb4/x' });
  t.equal(bytes.subarray(2).toString('latin1'), '\0lb4/x');
  t.equal(encodeAddress({ kind: 'unix', path: `@${'x'.repeat(107)}` }).bytes.length, 110);
  t.throws(() => encodeAddress({ kind: 'unix', path: `@${'x'.repeat(108)}` }), RangeError);
  t.end();
});

void t.test('a unix path is as long as the system allows, in bytes, and no longer', t => {
  const { bytes, family } = encodeAddress({ kind: 'unix', path: '/'.repeat(107) });
  t.equal(family, abi.AF_UNIX);
  t.equal(bytes.length, 110);
  t.equal(bytes[109], 0, 'ends in a NUL');
  t.equal(hostOf(bytes), '');
  t.throws(() => encodeAddress({ kind: 'unix', path: '/'.repeat(108) }), RangeError);
  t.throws(() => encodeAddress({ kind: 'unix', path: 'ü'.repeat(54) }), RangeError);
  t.end();
});

void t.test('to listen on a path that is too long is an Lb4Error in plain words', { skip }, async t => {
  await t.rejects(newEpollEngine().listen(TOO_LONG, { onClient: () => undefined }), {
    code: 'LB4_LISTEN_FAILED',
    message: /^cannot listen on .*: a unix socket's path has at most 107 bytes, this one has 205$/,
  });
});

void t.test('to connect to one is a failure like any other, after the call', { skip }, async t => {
  t.match(await connectTo(newEpollEngine(), TOO_LONG), { ok: false, failure: { code: 'ENAMETOOLONG' } });
  let told = false;
  newEpollEngine().connect(TOO_LONG, { timeoutMs: 1000 }, () => (told = true));
  t.equal(told, false);
  await until('it is told', () => told);
});

for (const host of ['127.0.0.1', '::1', '']) {
  void t.test(`the peer of a listener on "${host}" has the address that Node gives it`, { skip }, async t => {
    if (!(await canListen(host))) {
      t.pass('skipped: no IPv6 here', { skip: true });
      return;
    }
    const { listener, clients } = await listen(t, newEpollEngine(), { kind: 'tcp', host, port: 0 });
    const port = listener.address.kind === 'tcp' ? listener.address.port : 0;
    for (const to of host === '' ? ['127.0.0.1', '::1'] : [host]) {
      const client = await connectClient(t, { kind: 'tcp', host: to, port });
      await until('it is accepted', () => clients.at(-1)?.peerPort === client.socket.localPort);
      t.equal(clients.at(-1)?.peerAddress, client.socket.localAddress);
    }
  });
}

void t.test('a link-local client is named with its interface, as by Node', { skip }, async t => {
  const scoped = linkLocal();
  if (scoped === undefined) {
    t.pass('skipped: no link-local address here', { skip: true });
    return;
  }
  const { listener, clients } = await listen(t, newEpollEngine(), { kind: 'tcp', host: '', port: 0 });
  const port = listener.address.kind === 'tcp' ? listener.address.port : 0;
  const client = await connectClient(t, { kind: 'tcp', host: scoped, port });
  await until('it is accepted', () => clients.length === 1);
  t.equal(clients[0]?.peerAddress, client.socket.localAddress);
  await connectBack(t, scoped);
});

/** The engine connects to a link-local address, too. */
async function connectBack(t: Test, scoped: string): Promise<void> {
  const { address } = await startBackend(t, undefined, { kind: 'tcp', host: '::', port: 0 });
  const port = address.kind === 'tcp' ? address.port : 0;
  const result = await connectTo(newEpollEngine(), { kind: 'tcp', host: scoped, port });
  t.ok(result.ok);
  if (result.ok) result.connection.reset();
}

function linkLocal(): string | undefined {
  for (const [name, addresses] of Object.entries(networkInterfaces()))
    for (const { address } of addresses ?? []) if (address.startsWith('fe80:')) return `${address}%${name}`;
  return undefined;
}

async function canListen(host: string): Promise<boolean> {
  const server = createServer();
  const can = await new Promise<boolean>(resolve => {
    server.once('error', () => resolve(false));
    server.listen(0, host === '' ? '::' : host, () => resolve(true));
  });
  server.close();
  return can;
}
