/**
 * The part of the engine suite about prefaces: what a backend gets before anything of its client's.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Test } from 'tap';

import type { Connection, RelayOptions } from '../../../src/engine/engine.ts';
import { scripts, startBackend } from '../../harness/backend.ts';
import { pause, until } from '../../harness/until.ts';
import {
  accept,
  anywhere,
  connected,
  FAMILIES,
  hasFamily,
  startRelay,
  STOPPED_CLOCK,
  type CreateEngine,
} from './fixture.ts';
import { peekAt } from './peeked.ts';
import { joinForReuse, leaveClean } from './reuse-fixture.ts';

const MIB = 1024 * 1024;
const HEADER = 'PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n';
const preface = Buffer.from(HEADER);

function sha256(...bytes: readonly Uint8Array[]): string {
  return createHash('sha256').update(Buffer.concat(bytes)).digest('hex');
}

export function prefaceContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  for (const family of FAMILIES) {
    void t.test(`it comes first, once, and is not counted (${family})`, async t => {
      if (!(await hasFamily(t, family))) return;
      const { client, accepted } = await accept(t, engine, family);
      const backend = await startBackend(t, undefined, anywhere(t, family));
      const backendConnection = await connected(t, engine, backend.address);
      const { relay, ended } = startRelay(t, engine, accepted, backendConnection, { preface });
      const peer = await backend.next();
      await peer.untilText(HEADER);
      t.equal(relay.bytesFromClient, 0, 'without waiting for the client');
      await client.send('question');
      await peer.untilText('question');
      await peer.send('answer');
      await client.untilText('answer');
      t.equal(peer.text, `${HEADER}question`);
      t.equal(relay.bytesFromClient, 8);
      client.halfClose();
      t.equal(await peer.untilEnded(), 'fin');
      peer.halfClose();
      t.match(await ended(), {
        by: 'client',
        reason: 'closed',
        bytesFromClient: 8,
        bytesFromBackend: 6,
      });
    });

    void t.test(
      `it precedes what was read of the client before, of which some was taken (${family})`,
      async t => {
        if (!(await hasFamily(t, family))) return;
        const { client, accepted } = await accept(t, engine, family);
        await client.send('header|question');
        const peeked = peekAt(t, accepted);
        await peeked.untilText('header|question');
        accepted.take(7);
        await client.send(', and more');
        client.halfClose();
        const backend = await startBackend(t, scripts.answerAfterFin('answer'), anywhere(t, family));
        const backendConnection = await connected(t, engine, backend.address);
        const { ended } = startRelay(t, engine, accepted, backendConnection, { preface });
        t.equal(await client.untilEnded(), 'fin');
        t.equal(backend.peers[0]?.text, `${HEADER}question, and more`);
        t.match(await ended(), { by: 'client', reason: 'closed', bytesFromClient: 18, bytesFromBackend: 6 });
      },
    );

    for (const sends of ['', 'question'] as const) {
      void t.test(`the FIN of a client that sends "${sends}" comes after it (${family})`, async t => {
        if (!(await hasFamily(t, family))) return;
        const { client, accepted } = await accept(t, engine, family);
        client.socket.end(sends);
        await pause(5);
        const backend = await startBackend(t, scripts.answerAfterFin('answer'), anywhere(t, family));
        const backendConnection = await connected(t, engine, backend.address);
        const { ended } = startRelay(t, engine, accepted, backendConnection, { preface });
        t.equal(await client.untilEnded(), 'fin');
        t.equal(client.text, 'answer');
        t.equal(backend.peers[0]?.text, `${HEADER}${sends}`);
        t.match(await ended(), { by: 'client', reason: 'closed', bytesFromClient: sends.length });
      });

      if (family === 'unix') continue;
      void t.test(`the reset of a client that sent "${sends}" comes after it (${family})`, async t => {
        if (!(await hasFamily(t, family))) return;
        const { client, accepted } = await accept(t, engine, family);
        if (sends !== '') await client.send(sends);
        client.reset();
        await until('the client is gone', () => client.closed);
        await pause(5);
        const backend = await startBackend(t, undefined, anywhere(t, family));
        const backendConnection = await connected(t, engine, backend.address);
        const { ended } = startRelay(t, engine, accepted, backendConnection, { preface });
        const peer = await backend.next();
        t.equal(await peer.untilEnded(), 'reset');
        t.equal(peer.text, `${HEADER}${sends}`);
        t.match(await ended(), { by: 'client', reason: 'reset', bytesFromClient: sends.length });
      });
    }

    if (family !== 'unix') {
      void t.test(
        `the reset of a client that said nothing waits until the backend has it (${family})`,
        async t => {
          if (!(await hasFamily(t, family))) return;
          const large = randomBytes(8 * MIB);
          const { client, accepted } = await accept(t, engine, family);
          const backend = await startBackend(t, scripts.neverRead, anywhere(t, family));
          const backendConnection = await connected(t, engine, backend.address);
          const peer = await backend.next();
          const { ended } = startRelay(t, engine, accepted, backendConnection, { preface: large });
          client.reset();
          // An engine may notice it only once the backend reads again.
          await pause(20);
          peer.read();
          t.equal(await peer.untilEnded(), 'reset');
          t.equal(peer.checksum(), sha256(large));
          t.match(await ended(), { by: 'client', reason: 'reset', bytesFromClient: 0 });
        },
      );
    }

    for (const ending of family === 'unix' ? (['fin'] as const) : (['fin', 'reset'] as const)) {
      void t.test(
        `more than a backend takes at once is held, then come the client's bytes and its ${ending} (${family})`,
        async t => {
          if (!(await hasFamily(t, family))) return;
          const large = randomBytes(8 * MIB);
          const { client, accepted } = await accept(t, engine, family);
          await client.send('early, ');
          const peeked = peekAt(t, accepted);
          await peeked.untilText('early, ');
          const backend = await startBackend(t, scripts.neverRead, anywhere(t, family));
          const backendConnection = await connected(t, engine, backend.address);
          const peer = await backend.next();
          const { relay, ended, outcome } = startRelay(t, engine, accepted, backendConnection, {
            preface: large,
          });
          await client.send('then late');
          if (ending === 'fin') client.halfClose();
          await pause(20);
          if (ending === 'reset') client.reset();
          // Of unix sockets not every engine can say it.
          if (family !== 'unix')
            await until('a look finds it on its way', () => relay.lookAtDelivery() === 'bytes');
          t.ok(relay.bytesFromClient <= 16, 'it is not counted');
          t.equal(outcome(), undefined);
          peer.read();
          t.equal(await peer.untilEnded(), ending);
          // What a reset finds unread on its way to the balancer is lost, as on any way.
          const texts = ending === 'fin' ? ['early, then late'] : ['early, then late', 'early, '];
          t.ok(
            texts.some(text => peer.checksum() === sha256(large, Buffer.from(text))),
            `${peer.receivedBytes} bytes, in order`,
          );
          if (ending === 'fin') peer.halfClose();
          const reason = ending === 'fin' ? 'closed' : 'reset';
          const { bytesFromClient, ...how } = await ended();
          t.match(how, { by: 'client', reason });
          t.equal(bytesFromClient, peer.receivedBytes - large.length);
        },
      );
    }

    void t.test(
      `a reused connection that is stale gets nothing, and the fresh one all, once (${family})`,
      async t => {
        if (!(await hasFamily(t, family))) return;
        const reusing = await joinForReuse(t, engine, undefined, family);
        const clean = await leaveClean(t, reusing);
        await reusing.backend.send('too late');
        const { client, accepted } = await accept(t, engine, family);
        await client.send('header|question');
        const peeked = peekAt(t, accepted);
        await peeked.untilText('header|question');
        accepted.take(7);
        await pause(10);
        t.ok(await isStale(t, accepted, clean, { reused: true, preface: Buffer.from('first preface|') }));
        t.equal(reusing.backend.text, 'question', 'of the first client');

        const backend = await startBackend(t, scripts.echo, anywhere(t, family));
        const { relay } = startRelay(t, engine, accepted, await connected(t, engine, backend.address), {
          preface: Buffer.from('second preface|'),
        });
        await client.untilText('second preface|question');
        await client.send(', and more');
        await client.untilText('second preface|question, and more');
        t.equal(backend.peers[0]?.text, 'second preface|question, and more');
        t.equal(relay.bytesFromClient, 18);
      },
    );

    void t.test(`a reused connection answers first bytes that were read before (${family})`, async t => {
      if (!(await hasFamily(t, family))) return;
      const reusing = await joinForReuse(t, engine, undefined, family);
      const clean = await leaveClean(t, reusing);
      const { client, accepted } = await accept(t, engine, family);
      await client.send('second question');
      const peeked = peekAt(t, accepted);
      await peeked.untilText('second question');
      engine.relay(
        accepted,
        clean,
        {
          onHalfClosed: () => undefined,
          onEnd: () => undefined,
          onStale: () => t.fail('nothing is stale'),
        },
        { reused: true },
      );
      await reusing.backend.untilText('second question');
      await reusing.backend.send('second answer');
      await client.untilText('second answer');
      t.equal(client.text, 'second answer');
      clean.reset();
    });
  }

  /** Relays until it has said that it was stale; false when it ends otherwise. */
  async function isStale(
    t: Test,
    client: Connection,
    backend: Connection,
    options: RelayOptions,
  ): Promise<boolean> {
    return await new Promise(resolve => {
      const relay = engine.relay(
        client,
        backend,
        { onHalfClosed: () => undefined, onEnd: () => resolve(false), onStale: () => resolve(true) },
        options,
      );
      t.teardown(() => relay.abort());
    });
  }

  void t.test('an empty one is none', async t => {
    const { client, accepted } = await accept(t, engine);
    const backend = await startBackend(t);
    const backendConnection = await connected(t, engine, backend.address);
    const { ended } = startRelay(t, engine, accepted, backendConnection, {
      preface: Buffer.alloc(0),
      reuse: true,
    });
    const peer = await backend.next();
    await client.send('question');
    await peer.untilText('question');
    await peer.send('answer');
    await client.untilText('answer');
    client.halfClose();
    t.equal((await ended()).cleanBackend, backendConnection);
    t.equal(peer.text, 'question');
  });

  void t.test('a backend that greets once it has it is heard by a client that says nothing', async t => {
    const { client, accepted } = await accept(t, engine);
    const backend = await startBackend(t, peer => {
      peer.socket.once('data', () => void peer.send('220 hello\r\n'));
    });
    const backendConnection = await connected(t, engine, backend.address);
    const { relay } = startRelay(t, engine, accepted, backendConnection, { preface });
    await client.untilText('220 hello\r\n');
    t.equal(relay.bytesFromClient, 0);
    t.equal(relay.bytesFromBackend, 11);
  });

  void t.test('a backend that has greeted already gets it, and its greeting arrives', async t => {
    const { client, accepted } = await accept(t, engine);
    const backend = await startBackend(t, scripts.greet('220 hello\r\n'));
    const backendConnection = await connected(t, engine, backend.address);
    const peeked = peekAt(t, backendConnection);
    await peeked.untilText('220 hello\r\n');
    startRelay(t, engine, accepted, backendConnection, { preface });
    await client.untilText('220 hello\r\n');
    await backend.peers[0]?.untilText(HEADER);
    t.equal(backend.peers[0]?.text, HEADER);
  });

  for (const sends of ['', 'question']) {
    void t.test(`a backend that had reset before resets a client that sent "${sends}"`, async t => {
      const { client, accepted } = await accept(t, engine);
      const peeked = peekAt(t, accepted);
      if (sends !== '') {
        await client.send(sends);
        await peeked.untilText(sends);
      }
      const backend = await startBackend(t);
      const backendConnection = await connected(t, engine, backend.address);
      (await backend.next()).reset();
      await pause(20);
      const { ended } = startRelay(t, engine, accepted, backendConnection, { preface });
      t.equal(await client.untilEnded(), 'reset');
      t.match(await ended(), { by: 'backend', reason: 'reset', bytesFromBackend: 0 });
    });
  }

  void t.test('a connection that got one serves no other client', async t => {
    const { client, accepted } = await accept(t, engine);
    const backend = await startBackend(t);
    const backendConnection = await connected(t, engine, backend.address);
    const { ended } = startRelay(t, engine, accepted, backendConnection, { preface, reuse: true });
    const peer = await backend.next();
    await client.send('question');
    await peer.untilText('question');
    await peer.send('answer');
    await client.untilText('answer');
    client.halfClose();
    t.equal(await peer.untilEnded(), 'fin', 'its FIN is passed on');
    peer.halfClose();
    t.notOk('cleanBackend' in (await ended()));
  });

  void t.test('an abort while it waits resets both', async t => {
    const { client, accepted } = await accept(t, engine);
    const backend = await startBackend(t, scripts.neverRead);
    const backendConnection = await connected(t, engine, backend.address);
    const { relay, ended } = startRelay(t, engine, accepted, backendConnection, {
      preface: Buffer.alloc(8 * MIB),
    });
    await pause(10);
    relay.abort();
    t.match(await ended(), { by: 'balancer', reason: 'aborted', bytesFromClient: 0 });
    t.equal(await client.untilEnded(), 'reset');
    const peer = await backend.next();
    peer.read();
    t.equal(await peer.untilEnded(), 'reset');
  });

  void t.test('once the backend has it, nothing is on its way, and that it got it was activity', async t => {
    const clock = { nowMs: 1 };
    const ticking = createEngine({ clock });
    const { accepted } = await accept(t, ticking);
    const backend = await startBackend(t, scripts.neverRead);
    const backendConnection = await connected(t, ticking, backend.address);
    const peer = await backend.next();
    const { relay } = startRelay(t, ticking, accepted, backendConnection, { preface: randomBytes(8 * MIB) });
    await until('a look finds it', () => relay.lookAtDelivery() === 'bytes');
    clock.nowMs = 2;
    peer.read();
    await peer.untilBytes(8 * MIB);
    await until('a look finds nothing more', () => relay.lookAtDelivery() === 'nothing');
    t.equal(relay.lastActivityMs, 2);
    t.equal(relay.bytesFromClient, 0);
  });
}
