/**
 * The part of the engine suite about bytes: all of them, in order, both ways, and no more held than needed.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Test } from 'tap';

import { scripts, startBackend } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import type { Peer } from '../../harness/peer.ts';
import type { Connection, OnItsWay, Relay } from '../../../src/engine/engine.ts';
import { pause, until, untilSteady } from '../../harness/until.ts';
import {
  connected,
  FAMILIES,
  hasFamily,
  join,
  listen,
  startBalancer,
  startRelay,
  STOPPED_CLOCK,
  type CreateEngine,
} from './fixture.ts';

const MIB = 1024 * 1024;

export function relayContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  for (const family of FAMILIES) {
    void t.test(`${family}: bytes, half-closes and counts arrive both ways`, async t => {
      if (!(await hasFamily(t, family))) return;
      const joined = await join(t, engine, scripts.byHand, family);
      const { client, backend, relay, ended, toldHalfClosed } = joined;
      await client.send('question');
      await backend.untilText('question');
      await backend.send('answer!');
      await client.untilText('answer!');
      t.notOk(relay.halfClosed);
      t.notOk(toldHalfClosed());
      client.halfClose();
      t.equal(await backend.untilEnded(), 'fin');
      t.ok(relay.halfClosed);
      t.ok(toldHalfClosed(), 'and the session hears of it');
      await backend.send(' late');
      await client.untilText('answer! late');
      backend.halfClose();
      t.equal(await client.untilEnded(), 'fin');
      const { firstByteMs = Infinity, endedMs = -Infinity, ...outcome } = await ended();
      t.strictSame(outcome, { by: 'client', reason: 'closed', bytesFromClient: 8, bytesFromBackend: 12 });
      t.ok(firstByteMs <= endedMs, 'it knows when the backend first spoke, and when it ended');
    });
  }

  void t.test('a backend that sends nothing has no first byte', async t => {
    const { client, backend, ended } = await join(t, engine, scripts.byHand);
    await client.send('question');
    await backend.untilText('question');
    client.halfClose();
    await backend.untilEnded();
    backend.halfClose();
    t.equal((await ended()).firstByteMs, undefined);
  });

  void t.test('a backend that speaks first is heard before the client says a word', async t => {
    const { client, relay } = await join(t, engine, scripts.greet('220 mail.example ESMTP\r\n'));
    await client.untilText('220 mail.example ESMTP\r\n');
    t.equal(relay.bytesFromClient, 0);
  });

  void t.test('5 MB each way at once, in chunks of any size, arrive unchanged and are counted', async t => {
    const { client, backend, ended } = await join(t, engine);
    const [sentByClient, sentByBackend] = await Promise.all([
      sendRandom(client, 5 * MIB),
      sendRandom(backend, 5 * MIB),
    ]);
    t.equal(await client.untilEnded(), 'fin');
    t.equal(await backend.untilEnded(), 'fin');
    t.equal(backend.checksum(), sentByClient);
    t.equal(client.checksum(), sentByBackend);
    t.match(await ended(), { reason: 'closed', bytesFromClient: 5 * MIB, bytesFromBackend: 5 * MIB });
  });

  void t.test('sessions at once, some with slow readers, never see a byte of each other', async t => {
    const joinAgain = await startBalancer(t, engine);
    const play = async (_: unknown, session: number): Promise<void> => {
      const { client, backend } = await joinAgain();
      if (session % 3 === 0) client.readSlowly(64 * 1024, 2);
      if (session % 4 === 0) backend.readSlowly(16 * 1024, 1);
      const [sentByClient, sentByBackend] = await Promise.all([
        sendRandom(client, MIB),
        sendRandom(backend, 2 * MIB),
      ]);
      await client.untilEnded();
      await backend.untilEnded();
      t.equal(backend.checksum(), sentByClient);
      t.equal(client.checksum(), sentByBackend);
    };
    await Promise.all(Array.from({ length: 16 }, play));
  });

  void t.test('a client that does not read holds the backend back', async t => {
    const { client, backend, relay } = await join(t, engine);
    client.stall();
    const block = Buffer.alloc(MIB);
    for (let i = 0; i < 64; i++) backend.socket.write(block);
    const taken = await untilSteady('the relay', () => relay.bytesFromBackend);
    // The kernel's own buffers take up to about 10 MB on loopback; the rest must stay with the backend.
    t.ok(taken - client.receivedBytes < 24 * MIB, `${taken} bytes taken from the backend`);
    client.read();
    await client.untilBytes(64 * MIB);
  });

  void t.test('a backend that does not read holds the client back, and still reaches it', async t => {
    const { client, backend, relay } = await join(t, engine, scripts.neverRead);
    const block = Buffer.alloc(MIB);
    for (let i = 0; i < 64; i++) client.socket.write(block);
    const taken = await untilSteady('the relay', () => relay.bytesFromClient);
    t.ok(taken < 24 * MIB, `${taken} bytes taken from the client`);
    await backend.send('are you there?');
    await client.untilText('are you there?');
  });

  void t.test('lastActivityMs follows the clock when bytes move, and only then', async t => {
    const clock = { nowMs: 1000 };
    const { client, backend, relay } = await join(t, createEngine({ clock }));
    t.equal(relay.lastActivityMs, 1000);
    clock.nowMs = 2000;
    await client.send('x');
    await backend.untilText('x');
    t.equal(relay.lastActivityMs, 2000);
    clock.nowMs = 3000;
    await backend.send('y');
    await client.untilText('y');
    t.equal(relay.lastActivityMs, 3000);
    clock.nowMs = 4000;
    t.equal(relay.lastActivityMs, 3000);
  });

  void t.test('a flow of bulk moves 1 MiB at most before others have their turn', async t => {
    const relays: Relay[] = [];
    let movedBefore: number | undefined;
    const clock = {
      // Read whenever bytes move.
      get nowMs() {
        const [big, small] = relays;
        if (small !== undefined && small.bytesFromClient > 0) movedBefore ??= big?.bytesFromClient;
        return 0;
      },
    };
    const fair = createEngine({ clock });
    const backend = await startBackend(t);
    const { listener, clients } = await listen(t, fair);
    const pairs: [Connection, Connection][] = [];
    for (const bytes of [8 * MIB, 1]) {
      const client = await connectClient(t, listener.address);
      const port = client.socket.localPort;
      const accepted = (): Connection | undefined => clients.find(({ peerPort }) => peerPort === port);
      await until('the client is accepted', () => accepted() !== undefined);
      void client.send(Buffer.alloc(bytes));
      pairs.push([accepted()!, await connected(t, fair, backend.address)]);
    }
    // So that all of it that fits lies ready.
    await pause(100);
    for (const [client, connection] of pairs) relays.push(startRelay(t, fair, client, connection).relay);
    await until('the small one has moved', () => movedBefore !== undefined);
    t.ok((movedBefore ?? Infinity) <= MIB, `${movedBefore} bytes came first`);
  });

  void t.test('a look at a deadline finds what a slow reader takes, and counts it as activity', async t => {
    const clock = { nowMs: 1000 };
    const { client, backend, relay } = await join(t, createEngine({ clock }));
    const look = async (): Promise<OnItsWay> => {
      let found = relay.lookAtDelivery();
      await until('the look has an answer', () => {
        if (found === 'unknown') found = relay.lookAtDelivery();
        return found !== 'unknown';
      });
      return found;
    };
    t.equal(await look(), 'nothing', 'nothing was sent');

    client.stall();
    await backend.send(Buffer.alloc(2 * MIB));
    await untilSteady('the relay', () => relay.bytesFromBackend);
    clock.nowMs = 2000;
    t.equal(await look(), 'bytes');
    t.equal(relay.lastActivityMs, 2000, 'nobody knows what was taken before the first look');
    clock.nowMs = 3000;
    await pause(50);
    t.equal(await look(), 'bytes');
    t.equal(relay.lastActivityMs, 2000, 'a reader that takes nothing is silent');

    const { receivedBytes } = client;
    client.readSlowly(64 * 1024, 20);
    await client.untilBytes(receivedBytes + MIB);
    clock.nowMs = 4000;
    await look();
    t.equal(relay.lastActivityMs, 4000);
    client.read();
    await client.untilBytes(2 * MIB);
    await until('everything is acknowledged', () => relay.lookAtDelivery() === 'nothing');
    clock.nowMs = 5000;
    t.equal(await look(), 'nothing');
    t.equal(relay.lastActivityMs, 4000);
  });
}

/** Sends so many random bytes in chunks of random size, then a FIN; resolves to their SHA-256. */
async function sendRandom(peer: Peer, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  for (let sent = 0; sent < bytes;) {
    const size = Math.min(1 + Math.floor(Math.random() ** 3 * 200_000), bytes - sent);
    const chunk = randomBytes(size);
    hash.update(chunk);
    sent += size;
    if (!peer.socket.write(chunk)) await until('there is room', () => !peer.socket.writableNeedDrain);
  }
  peer.halfClose();
  return hash.digest('hex');
}
