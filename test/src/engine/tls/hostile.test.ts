/** What strangers may do to a listener with TLS: nothing throws, nothing is left, memory stays bounded. */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect } from 'node:tls';
import t from 'tap';
import { seeded } from '../../../../src/sim/seeded.ts';
import { FULL } from '../../../harness/full-load.ts';
import type { Peer } from '../../../harness/peer.ts';
import '../../../harness/run-once.ts';
import { withoutOpenssl } from '../../../harness/tls-authority.ts';
import { TlsPeer } from '../../../harness/tls-peer.ts';
import { until, untilSteady } from '../../../harness/until.ts';
import {
  authority,
  certificate,
  joinTls,
  listenTls,
  newEngine,
  serverSettings,
  SIDES,
  untilResult,
} from './fixture.ts';

const skip = withoutOpenssl;
const MIB = 1024 * 1024;

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** The first bytes of a real client. */
async function clientHello(): Promise<Buffer> {
  const { Duplex } = await import('node:stream');
  return await new Promise<Buffer>(resolve => {
    const stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk);
        done();
      },
    });
    connect({ socket: stream, servername: 'lb4.test' }).on('error', () => undefined);
  });
}

void t.test('handshakes that are given up in all ways leave nothing', { skip, timeout: 300_000 }, async t => {
  const certificates = [certificate, authority.issue('other', 'DNS:other.test')];
  const engine = newEngine();
  const hello = await clientHello();
  const ways: readonly ((socket: Socket) => void)[] = [
    socket => socket.end(),
    socket => socket.resetAndDestroy(),
    socket => socket.end('GET / HTTP/1.1\r\n\r\n'),
    socket => socket.end(hello.subarray(0, 100)),
    socket => socket.write(hello.subarray(0, 100), () => socket.resetAndDestroy()),
    socket => socket.write(hello, () => socket.resetAndDestroy()),
    socket => socket.end(hello),
    socket => socket.end(Buffer.concat([hello, randomBytes(500)])),
    socket => socket.end(Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0]), randomBytes(16384)])),
    socket => socket.end(Buffer.concat([Buffer.from([22, 3, 1, 0xff, 0xff]), randomBytes(70000)])),
  ];
  for (const settings of [serverSettings(), serverSettings({ certificates })]) {
    const { address, results } = await listenTls(t, engine, settings);
    const port = address.kind === 'tcp' ? address.port : 0;
    const play = async (way: (socket: Socket) => void): Promise<void> => {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.once('connect', () => way(socket));
      socket.resume();
      await new Promise(resolve => socket.once('close', resolve));
    };
    const round = async (): Promise<void> => {
      await Promise.all(ways.map(play));
    };
    await round();
    // Not one for each: who resets before it is accepted is no client.
    await untilSteady('handshakes', () => results.length);
    t.ok(
      results.every(({ ok }) => !ok),
      'no handshake was one',
    );
    const before = await untilSteady('descriptors', descriptors);
    const rounds = FULL ? 1000 : 30;
    for (let i = 0; i < rounds; i++) await round();
    await until('all descriptors are back', () => descriptors() <= before, 30_000);
  }
});

void t.test(
  'handshakes that never end hold no more than a descriptor, and a cancel resets',
  { skip },
  async t => {
    const engine = newEngine();
    const terms = engine.tls.serverTerms(serverSettings());
    const cancels: (() => void)[] = [];
    let called = 0;
    const listener = await engine.listen(
      { kind: 'tcp', host: '127.0.0.1', port: 0 },
      { onClient: client => cancels.push(engine.tls.accept(client, terms, undefined, () => called++)) },
    );
    t.teardown(() => listener.close());
    const port = listener.address.kind === 'tcp' ? listener.address.port : 0;
    const hello = await clientHello();
    const endings: string[] = [];
    const sockets = Array.from({ length: 50 }, (_, index) => {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', (error: NodeJS.ErrnoException) => endings.push(error.code ?? ''));
      socket.write(hello.subarray(0, index % 2 === 0 ? hello.length : 50));
      return socket;
    });
    await until('all are there', () => cancels.length === sockets.length);
    await new Promise(resolve => setTimeout(resolve, 50));
    for (const cancel of cancels) cancel();
    for (const cancel of cancels) cancel();
    await until('all are reset', () => endings.length === sockets.length);
    t.ok(endings.every(code => code === 'ECONNRESET'));
    t.equal(called, 0);
  },
);

void t.test(
  'bytes that are no TLS, after the handshake, are a reset behind what came before',
  { skip },
  async t => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const garbage of [
        // A record that is longer than any may be, one that nobody has encrypted, and an alert of the same kind.
        Buffer.concat([Buffer.from([23, 3, 3, 0xff, 0xff]), randomBytes(70_000)]),
        Buffer.concat([Buffer.from([23, 3, 3, 0, 100]), randomBytes(100)]),
        Buffer.from([21, 3, 3, 0, 2, 1, 0]),
      ]) {
        const { client, backend, ended } = await joinTls(t, newEngine(), 'client', { maxVersion });
        if (!(client instanceof TlsPeer)) return;
        await client.send('before');
        client.tcp.write(garbage);
        t.equal(await backend.untilEnded(), 'reset');
        t.equal(backend.text, 'before');
        t.match(await ended(), { by: 'client', reason: 'reset', bytesFromClient: 6 });
      }
    }
  },
);

void t.test('who reads slowly holds the other side back, and not memory', { skip }, async t => {
  for (const sides of SIDES) {
    for (const by of ['client', 'backend'] as const) {
      const { client, backend, relay } = await joinTls(t, newEngine(), sides);
      const [from, to] = by === 'client' ? [client, backend] : [backend, client];
      if (to instanceof TlsPeer) to.tcp.pause();
      else to.stall();
      for (let i = 0; i < 64; i++) void from.send(Buffer.alloc(MIB));
      const moved = (): number => relay.bytesFromClient + relay.bytesFromBackend;
      const taken = await untilSteady('the relay', moved);
      t.ok(taken < 24 * MIB, `${sides}: ${taken} bytes taken from the ${by}`);
      relay.abort();
    }
  }
});

/** Pieces, pauses and a half-close at random; the SHA-256 of all that was sent. */
async function chat(peer: Peer | TlsPeer, random: () => number): Promise<string> {
  const hash = createHash('sha256');
  const pieces = Math.floor(random() * 8);
  for (let piece = 0; piece < pieces; piece++) {
    const bytes = randomBytes(1 + Math.floor(random() ** 4 * 100_000));
    hash.update(bytes);
    if (random() < 0.5) await peer.send(bytes);
    else void peer.send(bytes);
    if (random() < 0.2) await new Promise(resolve => setImmediate(resolve));
  }
  peer.halfClose();
  return hash.digest('hex');
}

void t.test('sessions at random arrive whole in both directions', { skip, timeout: 300_000 }, async t => {
  const engine = newEngine();
  const sessions = FULL ? 1000 : 100;
  const wrong: number[] = [];
  const play = async (seed: number): Promise<void> => {
    const random = seeded(seed);
    const sides = SIDES[Math.floor(random() * 3)] ?? 'both';
    const maxVersion = random() < 0.5 ? 'TLSv1.2' : 'TLSv1.3';
    const { client, backend, ended } = await joinTls(t, engine, sides, { maxVersion });
    const hear = (peer: Peer | TlsPeer): (() => string) => {
      if (!(peer instanceof TlsPeer)) return () => peer.checksum();
      const hash = createHash('sha256');
      peer.tls.on('data', (chunk: Buffer) => hash.update(chunk));
      return () => hash.digest('hex');
    };
    const [atClient, atBackend] = [hear(client), hear(backend)];
    const sent = await Promise.all([chat(client, random), chat(backend, random)]);
    await client.untilEnded();
    await backend.untilEnded();
    const { reason } = await ended();
    const isRight = atBackend() === sent[0] && atClient() === sent[1] && reason === 'closed';
    if (!isRight) wrong.push(seed);
  };
  for (let seed = 0; seed < sessions; seed += 10) {
    await Promise.all(Array.from({ length: 10 }, async (_, n) => play(seed + n)));
  }
  t.strictSame(wrong, [], 'seeds of sessions that went wrong');
});

void t.test('a client may stop in the middle of a handshake for as long as it likes', { skip }, async t => {
  const { address, results } = await listenTls(t, newEngine());
  const hello = await clientHello();
  const socket = connectTcp(address.kind === 'tcp' ? address.port : 0, '127.0.0.1');
  t.teardown(() => socket.destroy());
  for (const byte of hello) {
    socket.write(Uint8Array.of(byte));
    await new Promise(resolve => setImmediate(resolve));
  }
  t.equal(results.length, 0, 'the listener has a timeout, the engine has none');
  socket.end();
  t.match(await untilResult(results), { ok: false, failure: { reason: 'closed' } });
});
