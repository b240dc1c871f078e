/**
 * The part of the engine suite about resets: everything received before one is delivered, then it is passed on.
 */
import type { Test } from 'tap';

import { scripts, startBackend } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import type { SetTimer } from '../../../src/support/timer.ts';
import type { Peer } from '../../harness/peer.ts';
import { pause, until, untilSteady } from '../../harness/until.ts';
import {
  connected,
  FAMILIES,
  join,
  listen,
  startBalancer,
  startRelay,
  STOPPED_CLOCK,
  type CreateEngine,
  type Joined,
} from './fixture.ts';

const MIB = 1024 * 1024;

export function resetsContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  for (const by of ['client', 'backend'] as const) {
    const sides = (joined: Joined): [Peer, Peer] =>
      by === 'client' ? [joined.client, joined.backend] : [joined.backend, joined.client];

    void t.test(`a reset of an idle ${by} arrives as a reset`, async t => {
      const joined = await join(t, engine);
      const [resetting, other] = sides(joined);
      resetting.reset();
      t.equal(await other.untilEnded(), 'reset');
      t.match(await joined.ended(), { by, reason: 'reset', bytesFromClient: 0, bytesFromBackend: 0 });
    });

    void t.test(`1 KB and a reset of the ${by} in one breath arrive as that`, async t => {
      const joined = await join(t, engine);
      const [resetting, other] = sides(joined);
      await resetting.send(Buffer.alloc(1024));
      resetting.reset();
      t.equal(await other.untilEnded(), 'reset');
      t.equal(other.receivedBytes, 1024);
      t.match(await joined.ended(), { by, reason: 'reset' });
    });

    void t.test(`3 MB, then a reset of the ${by}: a slow reader gets all of it, then the reset`, async t => {
      const bytes = 3 * MIB;
      const joined = await join(t, engine);
      const [resetting, other] = sides(joined);
      other.readSlowly(64 * 1024, 10);
      void resetting.send(Buffer.alloc(bytes, 'lb4'));
      const { relay } = joined;
      await until('the relay has it all', () => relay.bytesFromClient + relay.bytesFromBackend === bytes);
      t.ok(other.receivedBytes < bytes / 2, `the reader is behind, at ${other.receivedBytes}`);
      resetting.reset();
      t.equal(await other.untilEnded(), 'reset');
      t.equal(other.receivedBytes, bytes);
      t.match(await joined.ended(), { by, reason: 'reset' });
    });
  }

  for (const by of ['client', 'backend'] as const) {
    void t.test(
      `where everything was acknowledged long ago, a reset of the ${by} waits for no timer`,
      async t => {
        const noTimer: SetTimer = () => () => undefined;
        const { client, backend, ended } = await join(
          t,
          createEngine({ clock: STOPPED_CLOCK, setTimer: noTimer }),
        );
        // Whoever speaks acknowledges what it has got.
        await client.send('question');
        await backend.untilText('question');
        await backend.send('answer');
        await client.untilText('answer');
        if (by === 'backend') {
          await client.send(', thanks');
          await backend.untilText(', thanks');
        }
        const [resetting, other] = by === 'client' ? [client, backend] : [backend, client];
        resetting.reset();
        t.equal(await other.untilEnded(), 'reset');
        t.match(await ended(), { by, reason: 'reset' });
      },
    );
  }

  void t.test('a reset that waits for a stalled reader is no activity, and can be aborted', async t => {
    const clock = { nowMs: 0 };
    const ticking = setInterval(() => clock.nowMs++, 1);
    t.teardown(() => clearInterval(ticking));
    const { client, backend, relay, ended, outcome, toldHalfClosed } = await join(t, createEngine({ clock }));
    client.stall();
    void backend.send(Buffer.alloc(3 * MIB));
    await until('the relay has it all', () => relay.bytesFromBackend === 3 * MIB);
    backend.reset();
    await until('the reset is seen', () => relay.halfClosed);
    t.ok(toldHalfClosed(), 'a reset that waits behind data is told like a half-close');
    // At first the buffers of the reader's kernel still fill.
    await untilSteady('lastActivityMs', () => relay.lastActivityMs, 1000);
    t.equal(outcome(), undefined);
    relay.abort();
    t.match(await ended(), { by: 'balancer', reason: 'aborted' });
    client.read();
    t.equal(await client.untilEnded(), 'reset');
  });

  void t.test('a reader that goes on reading keeps the wait for its reset alive', async t => {
    const clock = { nowMs: 0 };
    const { client, backend, relay, ended } = await join(t, createEngine({ clock }));
    client.stall();
    void backend.send(Buffer.alloc(3 * MIB));
    await until('the relay has it all', () => relay.bytesFromBackend === 3 * MIB);
    backend.reset();
    await until('the reset is seen', () => relay.halfClosed);
    clock.nowMs = 5000;
    client.readSlowly(64 * 1024, 80);
    await until('activity is noticed', () => relay.lastActivityMs === 5000);
    client.read();
    t.match(await ended(), { by: 'backend', reason: 'reset' });
    t.equal(client.receivedBytes, 3 * MIB);
  });

  void t.test('a client that leaves while a reset waits for it ends the relay', async t => {
    const { client, backend, relay, ended } = await join(t, engine);
    client.stall();
    void backend.send(Buffer.alloc(3 * MIB));
    await until('the relay has it all', () => relay.bytesFromBackend === 3 * MIB);
    backend.reset();
    await until('the reset is seen', () => relay.halfClosed);
    client.reset();
    t.match(await ended(), { by: 'backend', reason: 'reset' });
  });

  void t.test('a reset after a half-close is passed on by whom it came from', async t => {
    const { client, backend, ended } = await join(t, engine);
    client.halfClose();
    t.equal(await backend.untilEnded(), 'fin');
    await backend.send('partial');
    await client.untilText('partial');
    backend.reset();
    t.equal(await client.untilEnded(), 'reset');
    t.match(await ended(), { by: 'backend', reason: 'reset' });
  });

  void t.test('a client that half-closed and then reset is noticed with the next byte for it', async t => {
    const { client, backend, ended } = await join(t, engine);
    client.halfClose();
    t.equal(await backend.untilEnded(), 'fin');
    client.reset();
    await until('the client is gone', () => client.closed);
    await until('the backend is told', () => {
      if (!backend.socket.destroyed) backend.socket.write('still there?');
      return backend.ending === 'reset';
    });
    t.match(await ended(), { by: 'client', reason: 'reset' });
  });

  for (const watched of [false, true]) {
    const how = watched ? 'watched' : 'not watched';
    void t.test(`what a client sent before it reset, before the relay, arrives first (${how})`, async t => {
      const backend = await startBackend(t);
      const { listener, clients } = await listen(t, engine);
      const client = await connectClient(t, listener.address);
      await until('the client is accepted', () => clients.length === 1);
      const changes: string[] = [];
      if (watched) clients[0]?.watch(change => changes.push(change));
      // More than a watch takes, in two goes, so that one part is held by the watch and one by the stream.
      for (const part of [Buffer.alloc(17_000, 'a'), Buffer.alloc(5000, 'b')]) {
        await client.send(part);
        await pause(20);
      }
      client.reset();
      await pause(20);
      clients[0]?.unwatch();
      const { ended } = startRelay(t, engine, clients[0]!, await connected(t, engine, backend.address));
      const peer = await backend.next();
      t.equal(await peer.untilEnded(), 'reset');
      t.equal(peer.text, 'a'.repeat(17_000) + 'b'.repeat(5000));
      t.match(await ended(), { by: 'client', reason: 'reset', bytesFromClient: 22_000 });
    });
  }

  for (const family of FAMILIES.filter(family => family !== 'IPv6')) {
    void t.test(`an answer sent without reading the upload reaches the client (${family})`, async t => {
      const answer = 'HTTP/1.1 413 Content Too Large\r\n\r\n';
      const upload = Buffer.alloc(100_000);
      const play = async (): Promise<void> => {
        const joinAgain = await startBalancer(t, engine, scripts.answerWithoutReading(answer), family);
        for (let round = 0; round < 5; round++) {
          const { client, ended } = await joinAgain();
          // Never idle, so that the reset meets a write as often as a read.
          const uploading = setInterval(() => client.socket.writable && client.socket.write(upload), 0);
          t.teardown(() => clearInterval(uploading));
          await client.untilText(answer);
          await client.untilEnded();
          clearInterval(uploading);
          t.equal(client.text, answer);
          t.match(await ended(), { by: 'backend', reason: 'reset' });
        }
      };
      await Promise.all(Array.from({ length: 5 }, play));
    });
  }
}
